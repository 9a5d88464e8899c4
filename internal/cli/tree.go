package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// State of an object.
type State string

// The states, from the best to the worst.
const (
	StateReady     State = "Ready"
	StateWaiting   State = "Waiting"
	StateSuspended State = "Suspended"
	StateDeleting  State = "Deleting"
	StateNotReady  State = "NotReady"
	StateFailed    State = "Failed"
	StateMissing   State = "Missing"
	// StateUnknown is that of an object that the user may not read.
	StateUnknown State = "Unknown"
)

// Node is an object, with the objects that depend on it.
type Node struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	State     State  `json:"state"`
	Reason    string `json:"reason,omitempty"`
	Message   string `json:"message,omitempty"`
	// Detail is what matters of an object of this kind.
	Detail string `json:"detail,omitempty"`
	// Advice says what to do, and Next is the command for it.
	Advice   string  `json:"advice,omitempty"`
	Next     string  `json:"next,omitempty"`
	Children []*Node `json:"children,omitempty"`

	kind kind
	// connection is the name of the SmileConnection; "" if it is not known.
	connection string
}

// forest arranges objects under their connections and users. An object that others refer to has a node also if it was not found.
type forest struct {
	nodes map[string]*Node
	roots []*Node
	// unread are the names of the kinds that the user may not read.
	unread map[string]bool
}

func newForest(objects map[string][]object, unread map[string]bool) *forest {
	f := &forest{nodes: map[string]*Node{}, roots: []*Node{}, unread: unread}
	for _, k := range kinds { // a user comes before its syncs
		for _, o := range objects[k.name] {
			f.add(k, o)
		}
	}
	for _, node := range f.nodes {
		slices.SortFunc(node.Children, compareNodes)
	}
	slices.SortFunc(f.roots, compareNodes)
	return f
}

func compareNodes(a, b *Node) int {
	order := func(n *Node) int { return slices.IndexFunc(kinds, func(k kind) bool { return k.name == n.Kind }) }
	return cmp.Or(strings.Compare(a.Namespace, b.Namespace), order(a)-order(b), strings.Compare(a.Name, b.Name))
}

func (f *forest) add(k kind, o object) {
	node, _ := f.node(k, o.GetNamespace(), o.GetName())
	node.connection = f.connectionOf(o)
	node.describe(o)
	switch o := o.(type) {
	case *v1alpha1.SmileConnection:
		f.roots = append(f.roots, node)
	case *v1alpha1.SmileAccountSync:
		f.under(users, o.Spec.UserRef.Name, node)
	default:
		f.under(connections, node.connection, node)
	}
}

// under places a node under the object that it refers to. What was not found is a root.
func (f *forest) under(k kind, name string, node *Node) {
	parent, found := f.node(k, node.Namespace, name)
	if !found {
		f.roots = append(f.roots, parent)
	}
	parent.Children = append(parent.Children, node)
}

// node returns the node of an object. Until the object is found, the node says that it is missing, or that the user may not read
// it.
func (f *forest) node(k kind, namespace, name string) (node *Node, existed bool) {
	key := keyOf(k, namespace, name)
	if node := f.nodes[key]; node != nil {
		return node, true
	}
	node = &Node{Kind: k.name, Namespace: namespace, Name: name, kind: k, State: StateMissing}
	if f.unread[k.name] {
		node.State = StateUnknown
	} else {
		node.Reason, node.Message = reasonMissing, "other objects refer to it, but it does not exist"
		node.Advice = remedies[reasonMissing].advice
	}
	f.nodes[key] = node
	return node, false
}

// connectionOf is the name of an object's connection. That of a sync is the one of its user, which was added before.
func (f *forest) connectionOf(o object) string {
	switch o := o.(type) {
	case *v1alpha1.SmileConnection:
		return o.Name
	case *v1alpha1.SmileUser:
		return o.Spec.ConnectionRef.Name
	case *v1alpha1.SmileWebhookSubscription:
		return o.Spec.ConnectionRef.Name
	case *v1alpha1.SmileWinkWidget:
		return o.Spec.ConnectionRef.Name
	case *v1alpha1.SmileAccountSync:
		if user := f.nodes[keyOf(users, o.Namespace, o.Spec.UserRef.Name)]; user != nil {
			return user.connection
		}
	}
	return ""
}

func keyOf(k kind, namespace, name string) string {
	return k.name + "/" + types.NamespacedName{Namespace: namespace, Name: name}.String()
}

// describe sets what a node shows of its object.
func (n *Node) describe(o object) {
	n.State, n.Reason, n.Message = stateOf(o)
	n.Detail, n.Advice = detail(o), ""
	if n.State == StateReady {
		n.Message = ""
		return
	}
	found := remedyOf(n.Reason, n.Message)
	n.Advice, n.Next = found.advice, found.next(n)
}

// stateOf summarizes the conditions of an object.
func stateOf(o object) (state State, reason, message string) {
	all := o.CommonStatus().Conditions
	ready := meta.FindStatusCondition(all, v1alpha1.ConditionReady)
	blocked := ready != nil && ready.Reason == v1alpha1.ReasonDeletionBlocked
	deleting := o.GetDeletionTimestamp() != nil
	switch {
	case deleting && blocked:
		return StateDeleting, ready.Reason, ready.Message
	case deleting:
		return StateDeleting, v1alpha1.ReasonProgressing, "it is being deleted"
	case o.Suspended():
		return StateSuspended, v1alpha1.ReasonSuspended, ""
	case ready == nil:
		return StateNotReady, reasonUntouched, "the operator has not processed it"
	case ready.Status != metav1.ConditionTrue && meta.IsStatusConditionTrue(all, v1alpha1.ConditionStalled):
		return StateFailed, ready.Reason, ready.Message
	case ready.Status != metav1.ConditionTrue:
		return StateNotReady, ready.Reason, ready.Message
	default:
		return stateOfReady(all, ready)
	}
}

// stateOfReady is the state of an object that is Ready. It may still need attention.
func stateOfReady(all []metav1.Condition, ready *metav1.Condition) (state State, reason, message string) {
	if worst := unhealthy(all); worst != nil {
		return StateWaiting, worst.Reason, worst.Message
	}
	if ready.Reason == v1alpha1.ReasonAwaitingEndUser {
		return StateWaiting, ready.Reason, ready.Message
	}
	return StateReady, ready.Reason, ready.Message
}

// unhealthy returns a condition that is false although the object is Ready, such as revokes that wait for an approval.
func unhealthy(all []metav1.Condition) *metav1.Condition {
	for i := range all {
		switch all[i].Type {
		case v1alpha1.ConditionRevokesAllowed, v1alpha1.ConditionClockSynchronized, v1alpha1.ConditionMirrored,
			v1alpha1.ConditionSecretUsePermitted, v1alpha1.ConditionTemplateApplied:
			if all[i].Status == metav1.ConditionFalse {
				return &all[i]
			}
		}
	}
	return nil
}

// detail is what matters of an object of its kind, in a few words.
func detail(o object) string {
	switch o := o.(type) {
	case *v1alpha1.SmileConnection:
		return string(o.Spec.Mode)
	case *v1alpha1.SmileUser:
		if o.Status.Accounts == nil {
			return ""
		}
		return fmt.Sprintf("%d of %d accounts connected", o.Status.Accounts.Connected, o.Status.Accounts.Total)
	case *v1alpha1.SmileAccountSync:
		if o.Status.Output == nil {
			return ""
		}
		return o.Status.Output.Kind + " " + o.Status.Output.Name
	case *v1alpha1.SmileWebhookSubscription:
		return o.Status.URL
	default:
		return ""
	}
}
