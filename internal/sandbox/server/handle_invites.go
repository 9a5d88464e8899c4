package server

import (
	"strings"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/validate"
	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// InviteStatus is the progress of an invited person.
type InviteStatus string

// The states of an invite, in their usual order.
const (
	Invited           InviteStatus = "INVITED"
	EmailOpened       InviteStatus = "EMAIL_OPENED"
	LandingPageOpened InviteStatus = "LANDING_PAGE_OPENED"
	WidgetOpened      InviteStatus = "WINK_WIDGET_OPENED"
	Linked            InviteStatus = "LINKED"
	InviteRevoked     InviteStatus = "REVOKED"
)

var inviteStatuses = []InviteStatus{Invited, EmailOpened, LandingPageOpened, WidgetOpened, Linked, InviteRevoked}

// inviteLife is how long the link of an invite is valid.
const inviteLife = 14 * 24 * time.Hour

// landingPage is where the link of an invite leads, at the vendor.
const landingPage = "https://user.getsmileapi.com/invite-user/"

// invite asks a person by mail to link accounts. The mail is not sent.
type invite struct {
	inviteRequest
	id        string
	ordinal   int
	owner     *user
	mail      Mail
	createdAt time.Time
	linkedAt  time.Time // zero until then
	log       []inviteLog
}

type inviteRequest struct {
	FullName       string `json:"fullName"`
	FirstName      string `json:"firstName,omitempty"`
	LastName       string `json:"lastName,omitempty"`
	Email          string `json:"email"`
	TemplateID     string `json:"templateId"`
	WinkTemplateID string `json:"winkTemplateId,omitempty"`
}

// inviteLog is one change of the state of an invite.
type inviteLog struct {
	ID     string       `json:"id"`
	Status InviteStatus `json:"inviteStatus"`
	At     time.Time    `json:"createdAt"`
}

// Invite is an invite as the API shows it.
type Invite struct {
	ID        string         `json:"id"`
	CreatedAt wire.Timestamp `json:"createdAt"`
	inviteRequest
	UserID         string          `json:"userId"`
	Status         InviteStatus    `json:"status"`
	UpdatedAt      wire.Timestamp  `json:"updatedAt"`
	InvitedAt      wire.Timestamp  `json:"invitedAt"`
	LinkedAt       *wire.Timestamp `json:"linkedAt"`
	LandingPageURL string          `json:"inviteLandingPageUrl"`
}

// Mail is what an invited person would receive.
type Mail struct {
	InviteID string    `json:"inviteId"`
	At       time.Time `json:"at"`
	From     string    `json:"from"`
	ReplyTo  string    `json:"replyTo"`
	To       string    `json:"to"`
	Subject  string    `json:"subject"`
	Body     string    `json:"body"`
	// Link leads to the landing page. It is valid for 14 days.
	Link      string    `json:"link"`
	ExpiresAt time.Time `json:"expiresAt"`
}

var inviteForm = validate.Form{
	validate.Required("fullName", validate.Text(1, 200)),
	validate.Required("email", validate.Text(1, 200, validate.Email)),
	validate.Required("templateId", validate.Text(1, 64)),
	validate.Optional("firstName", validate.Text(1, 64)),
	validate.Optional("lastName", validate.Text(1, 64)),
	validate.Optional("winkTemplateId", validate.Text(1, 64)),
}

func (i *invite) status() InviteStatus { return i.log[len(i.log)-1].Status }

func (i *invite) wire() Invite {
	shown := Invite{
		ID: i.id, CreatedAt: wire.Timestamp{Time: i.createdAt}, inviteRequest: i.inviteRequest, UserID: i.owner.id, Status: i.status(),
		UpdatedAt: wire.Timestamp{Time: i.log[len(i.log)-1].At}, InvitedAt: wire.Timestamp{Time: i.createdAt},
		LandingPageURL: i.mail.Link,
	}
	if !i.linkedAt.IsZero() {
		shown.LinkedAt = &wire.Timestamp{Time: i.linkedAt}
	}
	return shown
}

// createInvite also creates a user and writes the mail.
func createInvite(c *call) reply {
	wanted, wrong := validate.ReadForm[inviteRequest](c.body, inviteForm)
	if wrong != nil {
		return badRequest(wrong)
	}
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	template, found := inviteTemplates.find(c.tenant, wanted.TemplateID)
	if !found {
		return badRequest(validate.Wrong("templateId", "must be the id of an invite template"))
	}
	owner := c.tenant.addUser(c.box.ids, nil, c.now)
	made := &invite{
		inviteRequest: wanted, id: c.box.ids.Next("iv-"), ordinal: len(c.tenant.invites.order), owner: owner,
		createdAt: c.now,
	}
	made.mail = c.inviteMail(made, template)
	owner.invite = made
	c.tenant.invites.add(made.id, made)
	c.tenant.advance(made, Invited, c.now)
	c.userID, c.committed = owner.id, true
	return created(made.wire())
}

// inviteMail is the mail of an invite, with the template's variables replaced.
func (c *call) inviteMail(made *invite, template *inviteTemplate) Mail {
	firstName := made.FirstName
	if firstName == "" {
		firstName = made.FullName
	}
	fill := strings.NewReplacer("${companyName}", template.Company.Name, "${firstName}", firstName, "${fullName}", made.FullName)
	return Mail{
		InviteID: made.id, At: c.now, From: template.Email.SenderName, ReplyTo: template.Email.ReplyAddress, To: made.Email,
		Subject: fill.Replace(template.Email.Subject), Body: fill.Replace(template.Email.Body),
		Link: landingPage + made.id + "?token=" + c.box.ids.Next(""), ExpiresAt: c.now.Add(inviteLife),
	}
}

// advance sets the state of an invite. The caller holds mu.
func (t *tenant) advance(i *invite, to InviteStatus, at time.Time) {
	i.log = append(i.log, inviteLog{t.box.ids.Next("invl-"), to, at})
	if to == Linked && i.linkedAt.IsZero() {
		i.linkedAt = at
	}
	about := func() details { return details{"userId": i.owner.id, "inviteId": i.id} }
	switch to {
	case Invited:
		t.commit(i, occurrence{kind: "INVITE_INVITED", at: at, data: about})
	case Linked:
		t.commit(i, occurrence{kind: "INVITE_LINKED", at: at, data: about})
	default:
		t.commit(i)
	}
}

// updateInviteOf sets the state of a user's invite, if there is one, when an
// account was linked or the last one was revoked. The caller holds mu.
func (t *tenant) updateInviteOf(u *user, to InviteStatus, at time.Time) {
	if u.invite != nil && u.invite.status() != to {
		t.advance(u.invite, to, at)
	}
}

func listInvites(c *call) reply {
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	return paginate(c, c.tenant.invites.after(c.paging.from), func(*invite) bool { return true },
		func(i *invite) any { return i.wire() })
}

func getInvite(c *call) reply {
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	i, found := c.tenant.invites.byID[c.id()]
	if !found {
		return missing()
	}
	c.userID = i.owner.id
	return ok(i.wire())
}

func listInviteLog(c *call) reply {
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	i, ok := c.tenant.invites.byID[c.id()]
	if !ok {
		return missing()
	}
	c.userID = i.owner.id
	return paginate(c, placed(i.log, c.paging.from), func(inviteLog) bool { return true }, func(l inviteLog) any {
		return map[string]any{
			"id": l.ID, "inviteId": i.id, "inviteStatus": l.Status, "userId": i.owner.id,
			"createdAt": wire.Timestamp{Time: l.At},
		}
	})
}
