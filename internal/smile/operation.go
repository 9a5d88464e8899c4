package smile

import (
	"context"
	"net/http"
)

// Operation is one call of the API.
type Operation struct {
	// ID is the vendor's name of it, e.g. "create-user".
	ID string
	// Method is its HTTP method.
	Method string
}

// Mutates reports whether the call changes something at Smile.
func (o Operation) Mutates() bool { return o.Method != http.MethodGet }

// MintsToken reports whether the call mints a link token of a user that exists.
func (o Operation) MintsToken() bool { return o == opCreateToken }

// The operations of this client; the listings of datapoints are in datapoints.
var (
	opListProviders  = Operation{"list-providers", http.MethodGet}
	opGetProvider    = Operation{"get-provider", http.MethodGet}
	opListUsers      = Operation{"list-users", http.MethodGet}
	opGetUser        = Operation{"get-user", http.MethodGet}
	opCreateUser     = Operation{"create-user", http.MethodPost}
	opCreateToken    = Operation{"create-token", http.MethodPost}
	opListAccounts   = Operation{"list-accounts", http.MethodGet}
	opGetAccount     = Operation{"get-account", http.MethodGet}
	opDeleteAccount  = Operation{"delete-account", http.MethodDelete}
	opAccountPayload = Operation{"get-account-payload", http.MethodGet}
	opListTasks      = Operation{"list-tasks", http.MethodGet}
	opGetTask        = Operation{"get-task", http.MethodGet}
	opListArchives   = Operation{"list-archives", http.MethodGet}
	opDeleteArchive  = Operation{"delete-archive", http.MethodDelete}
	opListWebhooks   = Operation{"list-webhooks", http.MethodGet}
	opGetWebhook     = Operation{"get-webhook", http.MethodGet}
	opCreateWebhook  = Operation{"create-webhook", http.MethodPost}
	opDeleteWebhook  = Operation{"delete-webhook", http.MethodDelete}
)

// Operations returns every operation that this client can call. The set is closed,
// so it can be the label of a metric.
func Operations() []Operation {
	all := []Operation{
		opListProviders, opGetProvider, opListUsers, opGetUser, opCreateUser, opCreateToken,
		opListAccounts, opGetAccount, opDeleteAccount, opAccountPayload,
		opListTasks, opGetTask, opListArchives, opDeleteArchive,
		opListWebhooks, opGetWebhook, opCreateWebhook, opDeleteWebhook,
	}
	for _, point := range datapoints {
		all = append(all, point.operation())
	}
	return all
}

type operationKey struct{}

func withOperation(ctx context.Context, op Operation) context.Context {
	return context.WithValue(ctx, operationKey{}, op)
}

// OperationFrom returns the operation that a request's context belongs to.
func OperationFrom(ctx context.Context) (Operation, bool) {
	op, ok := ctx.Value(operationKey{}).(Operation)
	return op, ok
}

type lastCheckKey struct{}

// WithCheck calls check when the call has its slot in the budget, immediately before each time that it is sent. If check returns
// an error, nothing is sent, and the call fails with an *UnsentError with that cause. Checks that the context already has are
// called afterwards.
func WithCheck(ctx context.Context, check func() error) context.Context {
	earlier, ok := ctx.Value(lastCheckKey{}).(func() error)
	if !ok {
		return context.WithValue(ctx, lastCheckKey{}, check)
	}
	return context.WithValue(ctx, lastCheckKey{}, func() error {
		if err := check(); err != nil {
			return err
		}
		return earlier()
	})
}

// Check calls the checks of a request's context, the last one added first, and
// returns the first error.
func Check(ctx context.Context) error {
	if check, ok := ctx.Value(lastCheckKey{}).(func() error); ok {
		return check()
	}
	return nil
}
