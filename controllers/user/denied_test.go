package user_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

// denied makes the API server deny every Secret with a link token in the scene's namespace, until the returned function is
// called.
func (s *scene) denied(text string) (allow func()) {
	GinkgoHelper()
	return s.Deny("accessToken", text)
}

var _ = Describe("A link token whose Secret cannot be written", func() {
	const text = "tokens are not for this namespace"
	var s *scene
	minted := func() int { return s.Smile.Calls(0, "create-token") }
	refused := func(user *v1alpha1.SmileUser) {
		GinkgoHelper()
		Expect(s.Outcome(user)).To(Equal(testenv.Stalled(v1alpha1.ReasonClusterRefused)))
		Expect(s.Condition(user, v1alpha1.ConditionTokenIssued)).To(Equal("False/ClusterRefused"))
		Expect(s.Message(user)).To(And(
			ContainSubstring(text), ContainSubstring("the Secret %q (Invalid)", user.Spec.LinkToken.SecretName)))
		s.op.Quiet(user)
	}
	holding := func(user *v1alpha1.SmileUser, name string) {
		GinkgoHelper()
		Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		secret, ok := s.Secret(name)
		Expect(ok).To(BeTrue())
		Expect(string(secret.Data["expiresAt"])).To(Equal(user.Status.LinkToken.ExpiresAt.UTC().Format(time.RFC3339)))
		Expect(string(secret.Data["userId"])).To(Equal(user.Status.UserID))
	}

	BeforeEach(func() { s = newScene(testenv.Config{}) })

	It("because of a policy is not minted, for five users and several hours, and all other work continues", func() {
		var users []*v1alpha1.SmileUser
		for i := range 5 {
			name := fmt.Sprintf("user-%d", i)
			users = append(users, s.provisioned(name, testenv.WithToken(name)))
		}
		allow := s.denied(text)
		for _, user := range users {
			secret, ok := s.Secret(user.Name)
			Expect(ok).To(BeTrue())
			s.Delete(secret)
			s.op.Live(2*time.Hour, user)
			refused(user)
			s.Annotate(user, v1alpha1.AnnotationRequestedAt, "now")
			s.op.Run(user)
			Expect(user.Status.LastHandledRequest).To(Equal("now"))
		}
		Expect(minted()).To(BeZero())
		allow()
		for _, user := range users {
			s.op.Live(6*time.Minute, user)
			holding(user, user.Name)
		}
		Expect(minted()).To(Equal(5))
	})

	It("and that came with the new user is kept until it can be stored", func() {
		allow := s.denied(text)
		user := s.user(testenv.UserName, testenv.WithToken(testenv.TokenName))
		s.op.Live(20*time.Minute, user)
		refused(user)
		allow()
		s.op.Live(6*time.Minute, user)
		holding(user, testenv.TokenName)
		Expect(minted()).To(BeZero())
	})

	It("because of a quota is kept until it can be stored, and nothing is sent again", func() {
		lift := s.Full()
		user := s.user(testenv.UserName, testenv.WithToken(testenv.TokenName))
		before := s.Smile.Mark()
		s.op.Live(2*time.Hour, user)
		Expect(s.Outcome(user)).To(Equal(testenv.Stalled(v1alpha1.ReasonClusterRefused)))
		Expect(s.Message(user)).To(ContainSubstring("exceeded quota"))
		s.op.Quiet(user)
		Expect(s.posts()).To(Equal(1))
		Expect(minted()).To(BeZero())
		Expect(s.Smile.Calls(before)).To(BeNumerically("<", 60), "a failing call is not repeated in a loop")
		lift()
		s.op.Live(6*time.Minute, user)
		holding(user, testenv.TokenName)
		Expect(minted()).To(BeZero())
		Expect(s.posts()).To(Equal(1))
	})

	It("although the dry run succeeded is kept, and stored by the next reconcile", func() {
		failing := false
		s.op = s.Operator(func(inner client.WithWatch) client.WithWatch {
			return interceptor.NewClient(inner, interceptor.Funcs{
				Update: func(ctx context.Context, inner client.WithWatch, obj client.Object, options ...client.UpdateOption) error {
					asked := (&client.UpdateOptions{}).ApplyOptions(options)
					if _, secret := obj.(*corev1.Secret); secret && failing && len(asked.DryRun) == 0 {
						return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, obj.GetName(), errors.New("exceeded quota"))
					}
					return inner.Update(ctx, obj, options...)
				},
			})
		})
		s.op.Run(s.conn)
		user := s.provisioned(testenv.UserName, testenv.WithToken(testenv.TokenName))
		s.Clock.SetTime(user.Status.LinkToken.RenewAt.Time)
		failing = true
		s.op.Live(30*time.Minute, user)
		Expect(s.Outcome(user)).To(Equal(testenv.Stalled(v1alpha1.ReasonClusterRefused)))
		Expect(minted()).To(Equal(1))
		failing = false
		s.op.Live(6*time.Minute, user)
		holding(user, testenv.TokenName)
		Expect(minted()).To(Equal(1))
	})

	It("is not minted again for twenty renames, but moved", func() {
		user := s.provisioned(testenv.UserName, testenv.WithToken(testenv.TokenName))
		first, _ := s.Secret(testenv.TokenName)
		for i := range 20 {
			former, name := user.Spec.LinkToken.SecretName, fmt.Sprintf("token-%d", i)
			s.Change(user, func() { user.Spec.LinkToken.SecretName = name })
			s.op.Live(time.Minute, user)
			holding(user, name)
			_, ok := s.Secret(former)
			Expect(ok).To(BeFalse())
		}
		last, _ := s.Secret("token-19")
		Expect(last.Data).To(Equal(first.Data))
		Expect(minted()).To(BeZero())
	})

	It("stays under its former name while it cannot be moved", func() {
		user := s.provisioned(testenv.UserName, testenv.WithToken(testenv.TokenName))
		allow := s.denied(text)
		for i := range 20 {
			s.Change(user, func() { user.Spec.LinkToken.SecretName = fmt.Sprintf("token-%d", i) })
			s.op.Live(time.Minute, user)
			refused(user)
			Expect(user.Status.LinkToken.SecretName).To(Equal(testenv.TokenName))
		}
		allow()
		s.op.Live(6*time.Minute, user)
		holding(user, "token-19")
		_, ok := s.Secret(testenv.TokenName)
		Expect(ok).To(BeFalse())
		Expect(minted()).To(BeZero())
	})
})

var _ = Describe("Link tokens of a user", func() {
	var (
		s    *scene
		user *v1alpha1.SmileUser
	)
	minted := func() int { return s.Smile.Calls(0, "create-token") }
	deleteToken := func() {
		GinkgoHelper()
		if secret, ok := s.Secret(testenv.TokenName); ok {
			s.Delete(secret)
		}
	}

	BeforeEach(func() {
		s = newScene(testenv.Config{})
		user = s.provisioned(testenv.UserName, testenv.WithToken(testenv.TokenName))
	})

	It("are not minted when the status is lost", func() {
		for _, restart := range []bool{false, true} {
			before := user.Status.LinkToken.ExpiresAt
			s.ChangeStatus(user, func() {
				user.Status = v1alpha1.SmileUserStatus{CommonStatus: v1alpha1.CommonStatus{ObservedGeneration: -1}}
			})
			if restart {
				s.op = s.Operator()
				s.op.Run(s.conn)
			}
			s.op.Live(10*time.Minute, user)
			Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
			Expect(user.Status.LinkToken).NotTo(BeNil())
			Expect(user.Status.LinkToken.ExpiresAt).To(Equal(before))
		}
		Expect(minted()).To(BeZero())
	})

	It("are never minted twice within five minutes, whatever is deleted", func() {
		for i := range 30 {
			deleteToken()
			switch i % 3 {
			case 0:
				s.ChangeStatus(user, func() { user.Status.LinkToken = nil })
			case 1:
				s.Change(user, func() { user.Spec.LinkToken = nil })
				s.op.Run(user)
				s.Change(user, func() { user.Spec.LinkToken = &v1alpha1.LinkTokenSpec{SecretName: testenv.TokenName} })
			default:
				s.Delete(user)
				s.op.Run(user)
				user = s.user(testenv.UserName, testenv.WithToken(testenv.TokenName))
			}
			s.op.Live(time.Minute, user)
		}
		Expect(minted()).To(And(BeNumerically(">=", 1), BeNumerically("<=", 6)))
		s.op.Live(6*time.Minute, user)
		Expect(s.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		var times []time.Time
		for _, call := range s.Smile.Journal(0) {
			if call.Operation == "create-token" {
				times = append(times, call.Time)
			}
		}
		for i := 1; i < len(times); i++ {
			Expect(times[i].Sub(times[i-1])).To(BeNumerically(">=", 5*time.Minute))
		}
	})

	It("are reported as missing while the next one may not be minted yet", func() {
		deleteToken()
		Expect(s.op.Run(user)).To(Equal(5 * time.Minute))
		Expect(s.Outcome(user)).To(Equal(testenv.Waiting(v1alpha1.ReasonProgressing)))
		Expect(s.Condition(user, v1alpha1.ConditionTokenIssued)).To(Equal("False/Progressing"))
		s.op.Quiet(user)
	})

	It("stay unchanged if the new name belongs to another owner", func() {
		s.Create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "taken"}, Immutable: ptr.To(true)})
		before, _ := s.Secret(testenv.TokenName)
		s.Change(user, func() { user.Spec.LinkToken.SecretName = "taken" })
		s.op.Run(user)
		Expect(s.Outcome(user)).To(Equal(testenv.Stalled(v1alpha1.ReasonOutputConflict)))
		after, _ := s.Secret(testenv.TokenName)
		Expect(after).To(Equal(before))
	})
})
