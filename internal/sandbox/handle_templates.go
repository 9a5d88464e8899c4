package sandbox

import (
	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// consentTemplate is a text that people consent to. Nothing but deletion ever
// changes one.
type consentTemplate struct {
	registration
	consentTemplateRequest
}

type consentTemplateRequest struct {
	ConsentType   string `json:"consentType"`
	Version       string `json:"version"`
	Title         string `json:"title"`
	ConsentText   string `json:"consentText"`
	ConsentMethod string `json:"consentMethod"`
}

func (t *consentTemplate) wire(*behaviour) any {
	return struct {
		ID        string         `json:"id"`
		CreatedAt wire.Timestamp `json:"createdAt"`
		consentTemplateRequest
	}{t.id, wire.Timestamp{Time: t.createdAt}, t.consentTemplateRequest}
}

var consentTemplates registry[*consentTemplate] = func(t *tenant) *collection[*consentTemplate] { return &t.consentTemplates }

var consentTemplateForm = form{
	{"consentType", true, aText(1, 200)},
	{"version", true, aText(1, 64)},
	{"consentText", true, aText(1, 65535)},
	{"title", false, aText(1, 200)},
	{"consentMethod", false, aText(0, 200)},
}

func createConsentTemplate(c *call) reply {
	wanted, wrong := readForm[consentTemplateRequest](c.body, consentTemplateForm)
	if wrong != nil {
		return wrong.reply()
	}
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	return created(consentTemplates.add(c, "ct-", &consentTemplate{consentTemplateRequest: wanted}).wire(nil))
}

// inviteTemplate is how invites look. It can be replaced.
type inviteTemplate struct {
	registration
	inviteTemplateRequest
}

type inviteTemplateRequest struct {
	Name        string        `json:"name"`
	Company     inviteCompany `json:"company"`
	Email       inviteEmail   `json:"email"`
	LandingPage invitePage    `json:"landingPage"`
	SuccessPage invitePage    `json:"successPage"`
}

type inviteCompany struct {
	Name    string `json:"name"`
	LogoURL string `json:"logoUrl"`
}

type inviteEmail struct {
	SendEmail    bool   `json:"sendEmail"`
	SenderName   string `json:"senderName"`
	ReplyAddress string `json:"replyAddress"`
	Subject      string `json:"subject"`
	Body         string `json:"body"`
}

type invitePage struct {
	Header      string `json:"header"`
	Description string `json:"description"`
	Button      string `json:"button"`
}

func (t *inviteTemplate) wire(*behaviour) any {
	return struct {
		ID string `json:"id"`
		inviteTemplateRequest
	}{t.id, t.inviteTemplateRequest}
}

var inviteTemplates registry[*inviteTemplate] = func(t *tenant) *collection[*inviteTemplate] { return &t.inviteTemplates }

var invitePageForm = form{
	{"header", true, aText(1, 200)},
	{"description", true, aText(1, 5000)},
	{"button", true, aText(1, 200)},
}

var inviteTemplateForm = form{
	{"name", true, aText(1, 64)},
	{"company", true, aForm(form{
		{"name", true, aText(1, 200)},
		{"logoUrl", true, aText(1, 200)},
	})},
	{"email", true, aForm(form{
		{"sendEmail", true, onlyTrue},
		{"senderName", true, aText(1, 200)},
		{"replyAddress", true, aText(1, 200, anEmail)},
		{"subject", true, aText(1, 200)},
		{"body", true, aText(1, 5000, withoutMarkup)},
	})},
	{"landingPage", true, aForm(invitePageForm)},
	{"successPage", true, aForm(invitePageForm)},
}

func createInviteTemplate(c *call) reply {
	wanted, wrong := readForm[inviteTemplateRequest](c.body, inviteTemplateForm)
	if wrong != nil {
		return wrong.reply()
	}
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	return created(inviteTemplates.add(c, "tpl-", &inviteTemplate{inviteTemplateRequest: wanted}).wire(nil))
}

// updateInviteTemplate replaces all of a template but its id.
func updateInviteTemplate(c *call) reply {
	wanted, wrong := readForm[inviteTemplateRequest](c.body, inviteTemplateForm)
	if wrong != nil {
		return wrong.reply()
	}
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	template, found := inviteTemplates.find(c.tenant, c.id())
	if !found {
		return missing()
	}
	template.inviteTemplateRequest = wanted
	c.tenant.commit(template)
	c.committed = true
	return ok(template.wire(nil))
}
