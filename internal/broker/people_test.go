package broker_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

func TestATokenCostsOneCall(t *testing.T) {
	s := newScene(t)
	token := s.Token(s.backend, audience)
	mark := s.Smile.Mark()
	got := s.mint(t, s.url, token, s.Namespace, "george")
	if got.status != http.StatusCreated || got.UserID != s.george.Status.UserID || got.Mode != "SANDBOX" || !got.ExpiresAt.After(s.Clock.Now()) {
		t.Errorf("%d %s: user %s, mode %s, expires %s", got.status, got.Reason, got.UserID, got.Mode, got.ExpiresAt)
	}
	if got.APIHost != s.Smile.URL+"/v1" || got.ScriptURL != s.Smile.URL+"/v2/smile.v2.js" {
		t.Errorf("the widget is at %s and %s", got.APIHost, got.ScriptURL)
	}
	if all, minted := s.Smile.Calls(mark), s.Smile.Calls(mark, "create-token"); all != 1 || minted != 1 {
		t.Errorf("%d calls, %d of which mint a token", all, minted)
	}
	records := s.records(t)
	if len(records) != 1 {
		t.Fatalf("%d records", len(records))
	}
	r := records[0]
	if r.Actor != auditlog.ActorApplicationAPI || r.Action != auditlog.ActionMinted || r.Outcome != auditlog.OutcomeSucceeded ||
		r.UID != string(s.george.UID) || r.Caller != "system:serviceaccount:"+s.Namespace+":backend" || r.Resource != "smileusers/token" {
		t.Errorf("%+v %+v", r, r.Call)
	}
	if strings.Contains(s.audit.String(), got.AccessToken) || strings.Contains(s.audit.String(), token) || strings.Contains(s.audit.String(), testenv.Canary) {
		t.Error("the audit log has a token")
	}
}

// Whatever a status says: a token is minted only for a user at Smile that belongs to the object.
func TestNobodyGetsATokenOfAnothersUser(t *testing.T) {
	s := newScene(t)
	stranger := s.Smile.NewUser(testenv.One, map[string]string{"customer": "1"})
	s.ChangeStatus(s.george, func() { s.george.Status.UserID = stranger.ID })
	mark := s.Smile.Mark()
	got := s.mint(t, s.url, s.Token(s.backend, audience), s.Namespace, "george")
	if got.status != http.StatusConflict || got.Reason != "UserNotReady" || got.Cause != v1alpha1.ReasonUserNotOwned {
		t.Errorf("%d %s %s", got.status, got.Reason, got.Cause)
	}
	s.ChangeStatus(s.george, func() { s.george.Status.UserID = "tenant-nobody" })
	got = s.mint(t, s.url, s.Token(s.backend, audience), s.Namespace, "george")
	if got.status != http.StatusConflict || got.Cause != v1alpha1.ReasonRemoteUserMissing {
		t.Errorf("%d %s %s", got.status, got.Reason, got.Cause)
	}
	if minted := s.Smile.Calls(mark, "create-token"); minted != 0 {
		t.Errorf("%d tokens were minted", minted)
	}
}

func TestWhyThereIsNoToken(t *testing.T) {
	type outcome struct {
		status        int
		reason, cause string
	}
	faultOf := func(operation, action string) func(*scene) {
		return func(s *scene) {
			s.Smile.Break(sandbox.Fault{Operation: operation, Nth: 1, Count: 100, Phase: "before", Action: action})
		}
	}
	fault := func(action string) func(*scene) { return faultOf("create-token", action) }
	for name, test := range map[string]struct {
		change func(*scene)
		want   outcome
	}{
		"the connection is suspended": {func(s *scene) {
			s.Change(s.conn, func() { s.conn.Spec.Suspend = true })
		}, outcome{409, "Suspended", ""}},
		"the connection is gone": {func(s *scene) { s.Delete(s.conn) }, outcome{409, "UserNotReady", "ConnectionNotFound"}},
		// After a refusal the key pair is probed: only if that is refused too, the pair is at fault.
		"Smile refuses the keys":  {faultOf("*", "status:401"), outcome{409, "UserNotReady", "ConnectionNotReady"}},
		"Smile refuses this call": {fault("status:401"), outcome{503, "SmileUnavailable", ""}},
		"Smile is down":           {fault("status:503"), outcome{503, "SmileUnavailable", ""}},
		"Smile resets":            {fault("reset"), outcome{503, "SmileUnavailable", ""}},
		"Smile throttles":         {fault("status:429"), outcome{503, "Throttled", ""}},
		"the leadership is lost": {func(s *scene) {
			s.op.Fence = func() error { return errors.New("lost") }
			s.op.People().Standby = false
		}, outcome{503, "LeaderUnavailable", ""}},
		"the user is being deleted": {func(s *scene) {
			s.Change(s.george, func() { s.george.Finalizers = []string{"example.com/wait"} })
			s.Delete(s.george) // a world removes finalizers at its end
		}, outcome{409, "UserNotReady", "UserNotFound"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			token := s.Token(s.backend, audience)
			test.change(s)
			got := s.mint(t, s.url, token, s.Namespace, "george")
			if (outcome{got.status, got.Reason, got.Cause}) != test.want {
				t.Errorf("%d %s %s, want %v", got.status, got.Reason, got.Cause, test.want)
			}
		})
	}
}

// A result that arrives when this process no longer leads is withheld.
func TestTheFenceIsCheckedBeforeTheResponse(t *testing.T) {
	s := newScene(t)
	token := s.Token(s.backend, audience)
	mark := s.Smile.Mark()
	s.op.Fence = func() error {
		if s.Smile.Calls(mark, "create-token") > 0 {
			return errors.New("lost")
		}
		return nil
	}
	got := s.mint(t, s.url, token, s.Namespace, "george")
	if got.status != http.StatusServiceUnavailable || got.Reason != "LeadershipLost" || s.Smile.Calls(mark, "create-token") != 1 {
		t.Errorf("%d %s", got.status, got.Reason)
	}
}

// A replica that does not lead mints tokens of known people, each of which it verifies at Smile first. Nothing else changes
// there.
func TestAStandbyMintsTokensOfKnownPeople(t *testing.T) {
	s := newScene(t)
	token := s.Token(s.backend, audience)
	stranger := s.Smile.NewUser(testenv.One, map[string]string{"customer": "1"})
	s.op = s.Operator()
	s.op.Fence = func() error { return errors.New("not the leader") }
	standby := s.serveWith(t, s.Access().Host)
	mark := s.Smile.Mark()
	got := s.mint(t, standby, token, s.Namespace, "george")
	if got.status != http.StatusCreated || got.UserID != s.george.Status.UserID {
		t.Errorf("%d %s", got.status, got.Reason)
	}
	all, verified, minted := s.Smile.Calls(mark), s.Smile.Calls(mark, "get-user"), s.Smile.Calls(mark, "create-token")
	if all != 2 || verified != 1 || minted != 1 {
		t.Errorf("%d calls: %d verify the user, %d mint a token", all, verified, minted)
	}
	for name, want := range map[string]int{"lame": http.StatusConflict, "paused": http.StatusConflict, "nobody": http.StatusNotFound} {
		if got := s.mint(t, standby, token, s.Namespace, name); got.status != want {
			t.Errorf("%s: %d %s", name, got.status, got.Reason)
		}
	}
	s.ChangeStatus(s.george, func() { s.george.Status.UserID = stranger.ID })
	if got := s.mint(t, standby, token, s.Namespace, "george"); got.status != http.StatusConflict || got.Cause != v1alpha1.ReasonUserNotOwned {
		t.Errorf("a token for a user that the object does not own: %d %s %s", got.status, got.Reason, got.Cause)
	}
	if minted := s.Smile.Calls(mark, "create-token"); minted != 1 {
		t.Errorf("%d tokens were minted", minted)
	}
}

// Two namespaces that share a key pair get nothing of each other, whatever they write into their objects.
func TestTenantsDoNotMix(t *testing.T) {
	s := newScene(t)
	other := s.NewNamespace()
	conn, keys := testenv.Connection(testenv.ConnectionName), testenv.Keys(testenv.KeysName, testenv.One)
	thief := testenv.User("george")
	adopter := testenv.User("adopter", func(u *v1alpha1.SmileUser) { u.Spec.UserID = s.george.Status.UserID })
	conn.Namespace, keys.Namespace, thief.Namespace, adopter.Namespace = other, other, other, other
	s.Create(conn, keys, thief, adopter)
	s.op.Run(conn, thief)
	_, _ = s.op.Reconcile(adopter)
	account := s.ServiceAccount("thief")
	s.grantIn(other, account, "create", "smileusers/token")
	s.Get(thief)
	own := thief.Status.UserID
	s.ChangeStatus(thief, func() { thief.Status.UserID = s.george.Status.UserID })
	mark := s.Smile.Mark()
	token := s.Token(account, audience)
	for _, name := range []string{"george", "adopter"} {
		if got := s.mint(t, s.url, token, other, name); got.status != http.StatusConflict || got.AccessToken != "" {
			t.Errorf("%s: %d %s", name, got.status, got.Reason)
		}
	}
	if minted := s.Smile.Calls(mark, "create-token"); minted != 0 {
		t.Errorf("%d tokens were minted for a user of another namespace", minted)
	}
	s.ChangeStatus(thief, func() { thief.Status.UserID = own })
	if got := s.mint(t, s.url, token, other, "george"); got.status != http.StatusCreated || got.UserID == s.george.Status.UserID {
		t.Errorf("the namespace's own user: %d %s", got.status, got.Reason)
	}
}
