package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// object is an object of one of the operator's kinds.
type object interface {
	client.Object
	CommonStatus() *v1alpha1.CommonStatus
	Suspended() bool
}

// kind is one of the operator's kinds.
type kind struct {
	// Name, as in SmileUser; resource, as in smileusers; noun, as in user.
	name, resource, noun string
	// short is the short name in kubectl.
	short string
	// refreshed is true if the annotation requested-at requests a refresh.
	refreshed bool
	empty     func() object
	list      func() client.ObjectList
}

var (
	connections = kind{
		name: "SmileConnection", resource: "smileconnections", noun: "connection", short: "smc",
		empty: func() object { return &v1alpha1.SmileConnection{} },
		list:  func() client.ObjectList { return &v1alpha1.SmileConnectionList{} },
	}
	users = kind{
		name: "SmileUser", resource: "smileusers", noun: "user", short: "smu", refreshed: true,
		empty: func() object { return &v1alpha1.SmileUser{} },
		list:  func() client.ObjectList { return &v1alpha1.SmileUserList{} },
	}
	syncs = kind{
		name: "SmileAccountSync", resource: "smileaccountsyncs", noun: "sync", short: "sms", refreshed: true,
		empty: func() object { return &v1alpha1.SmileAccountSync{} },
		list:  func() client.ObjectList { return &v1alpha1.SmileAccountSyncList{} },
	}
	webhooks = kind{
		name: "SmileWebhookSubscription", resource: "smilewebhooksubscriptions", noun: "webhook", short: "smw", refreshed: true,
		empty: func() object { return &v1alpha1.SmileWebhookSubscription{} },
		list:  func() client.ObjectList { return &v1alpha1.SmileWebhookSubscriptionList{} },
	}
	widgets = kind{
		name: "SmileWinkWidget", resource: "smilewinkwidgets", noun: "widget", short: "smk",
		empty: func() object { return &v1alpha1.SmileWinkWidget{} },
		list:  func() client.ObjectList { return &v1alpha1.SmileWinkWidgetList{} },
	}
	// kinds are in the order in which they are shown under a connection.
	kinds = []kind{connections, widgets, webhooks, users, syncs}
)

// named reports whether a word names the kind, as in kubectl or by its noun.
func (k kind) named(word string) bool {
	word, group, _ := strings.Cut(strings.ToLower(word), ".")
	if group != "" && group != v1alpha1.GroupVersion.Group {
		return false
	}
	return slices.Contains([]string{k.noun, k.noun + "s", k.short, k.resource, strings.ToLower(k.name)}, word)
}

// target is an object that an argument names.
type target struct {
	kind kind
	name string
}

// String is the target as kubectl prints it.
func (t target) String() string {
	return t.kind.resource + "." + v1alpha1.GroupVersion.Group + "/" + t.name
}

// targets reads arguments of the form KIND/NAME. An argument without a kind names an object of the default kind.
func targets(args []string, fallback *kind, permitted func(kind) bool) ([]target, error) {
	var all []target
	for _, arg := range args {
		word, name, qualified := strings.Cut(arg, "/")
		if !qualified {
			if fallback == nil {
				return nil, fmt.Errorf("%q names no kind: write KIND/NAME, such as user/%s", arg, arg)
			}
			word, name = fallback.noun, arg
		}
		at := slices.IndexFunc(kinds, func(k kind) bool { return k.named(word) && permitted(k) })
		if at < 0 || name == "" {
			return nil, fmt.Errorf("%q is not KIND/NAME with one of these kinds: %s", arg, strings.Join(nouns(permitted), ", "))
		}
		all = append(all, target{kinds[at], name})
	}
	return all, nil
}

func nouns(permitted func(kind) bool) []string {
	var all []string
	for _, k := range kinds {
		if permitted(k) {
			all = append(all, k.noun)
		}
	}
	return all
}

// everyObject lists the objects of a kind; "" means all namespaces.
func everyObject(ctx context.Context, from client.Reader, k kind, namespace string) ([]object, error) {
	list := k.list()
	if err := from.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	var all []object
	err := meta.EachListItem(list, func(item runtime.Object) error {
		all = append(all, item.(object))
		return nil
	})
	return all, err
}
