package server

import (
	"github.com/smile-operator/smile-operator/internal/sandbox/quirks"
	"github.com/smile-operator/smile-operator/internal/sandbox/validate"
	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// consentTemplate is a text that users consent to. It can be deleted, but not
// changed.
type consentTemplate struct {
	registration
	consentTemplateRequest
}

type consentTemplateRequest struct {
	ConsentType   string `json:"consentType"`
	Version       string `json:"version"`
	Title         string `json:"title,omitempty"`
	ConsentText   string `json:"consentText"`
	ConsentMethod string `json:"consentMethod,omitempty"`
}

func (t *consentTemplate) wire(*quirks.Behavior) any {
	return struct {
		ID        string         `json:"id"`
		CreatedAt wire.Timestamp `json:"createdAt"`
		consentTemplateRequest
	}{t.id, wire.Timestamp{Time: t.createdAt}, t.consentTemplateRequest}
}

var consentTemplates registry[*consentTemplate] = func(t *tenant) *collection[*consentTemplate] { return &t.consentTemplates }

var consentTemplateForm = validate.Form{
	validate.Required("consentType", validate.Text(1, 200)),
	validate.Required("version", validate.Text(1, 64)),
	validate.Required("consentText", validate.Text(1, 65535)),
	validate.Optional("title", validate.Text(1, 200)),
	validate.Optional("consentMethod", validate.Text(0, 200)),
}

func createConsentTemplate(c *call) reply {
	wanted, wrong := validate.ReadForm[consentTemplateRequest](c.body, consentTemplateForm)
	if wrong != nil {
		return badRequest(wrong)
	}
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	return created(consentTemplates.add(c, "ct-", &consentTemplate{consentTemplateRequest: wanted}).wire(nil))
}

// inviteTemplate is the appearance of invites. It can be replaced.
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

func (t *inviteTemplate) wire(*quirks.Behavior) any {
	return struct {
		ID string `json:"id"`
		inviteTemplateRequest
	}{t.id, t.inviteTemplateRequest}
}

var inviteTemplates registry[*inviteTemplate] = func(t *tenant) *collection[*inviteTemplate] { return &t.inviteTemplates }

var invitePageForm = validate.Form{
	validate.Required("header", validate.Text(1, 200)),
	validate.Required("description", validate.Text(1, 5000)),
	validate.Required("button", validate.Text(1, 200)),
}

var inviteTemplateForm = validate.Form{
	validate.Required("name", validate.Text(1, 64)),
	validate.Required("company", validate.Object(validate.Form{
		validate.Required("name", validate.Text(1, 200)),
		validate.Required("logoUrl", validate.Text(1, 200)),
	})),
	validate.Required("email", validate.Object(validate.Form{
		validate.Required("sendEmail", validate.True),
		validate.Required("senderName", validate.Text(1, 200)),
		validate.Required("replyAddress", validate.Text(1, 200, validate.Email)),
		validate.Required("subject", validate.Text(1, 200)),
		validate.Required("body", validate.Text(1, 5000, validate.NoMarkup)),
	})),
	validate.Required("landingPage", validate.Object(invitePageForm)),
	validate.Required("successPage", validate.Object(invitePageForm)),
}

func createInviteTemplate(c *call) reply {
	wanted, wrong := validate.ReadForm[inviteTemplateRequest](c.body, inviteTemplateForm)
	if wrong != nil {
		return badRequest(wrong)
	}
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	return created(inviteTemplates.add(c, "tpl-", &inviteTemplate{inviteTemplateRequest: wanted}).wire(nil))
}

// updateInviteTemplate replaces everything in a template except its id.
func updateInviteTemplate(c *call) reply {
	wanted, wrong := validate.ReadForm[inviteTemplateRequest](c.body, inviteTemplateForm)
	if wrong != nil {
		return badRequest(wrong)
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
