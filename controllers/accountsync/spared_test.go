package accountsync_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("After a start with output checks", func() {
	var (
		s     *scene
		sync  *v1alpha1.SmileAccountSync
		reads int
	)

	BeforeEach(func() {
		s = newScene(testenv.Config{OutputChecks: true})
		sync, _ = s.synced([]string{"sss_ph"})
		s.op = s.Operator(func(inner client.WithWatch) client.WithWatch {
			return interceptor.NewClient(inner, interceptor.Funcs{
				Get: func(ctx context.Context, inner client.WithWatch, key client.ObjectKey, obj client.Object, options ...client.GetOption) error {
					if _, secret := obj.(*corev1.Secret); secret && key.Name == testenv.DataName {
						reads++
					}
					return inner.Get(ctx, key, obj, options...)
				},
			})
		})
		s.op.Run(s.conn)
		reads = 0
	})

	It("the first reconcile of a sync at rest reads no output, and the next one does", func() {
		s.Delete(s.data())
		s.op.Quiet(sync)
		Expect(reads).To(BeZero())
		s.op.Run(sync)
		Expect(reads).NotTo(BeZero())
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		s.data()
	})

	It("a reconcile with something to do compares the output first", func() {
		s.Delete(s.data())
		s.Hint(s.user)
		s.op.Live(interval, s.user, sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		s.data()
	})

	It("a requested refresh compares the output", func() {
		s.Delete(s.data())
		s.ask(sync)
		s.op.Run(sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		s.data()
	})
})
