package cli

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// next is the command that the status shows for a sync.
func nextOfSync(t *testing.T, objects ...client.Object) string {
	t.Helper()
	var status Status
	if err := status.read(t.Context(), cluster(t, objects), "prod"); err != nil {
		t.Fatal(err)
	}
	var find func(nodes []*Node) *Node
	find = func(nodes []*Node) *Node {
		for _, node := range nodes {
			if node.Kind == syncs.name {
				return node
			}
			if found := find(node.Children); found != nil {
				return found
			}
		}
		return nil
	}
	node := find(status.Connections)
	if node == nil {
		t.Fatal("the status does not show the sync")
	}
	return node.Next
}

// A command for the connection names it also if a sync shows the reason. If the connection is unknown, there is no such command,
// because without a name it would apply to all connections.
func TestRemedyOfASyncNamesTheConnection(t *testing.T) {
	t.Parallel()
	for _, reason := range slices.Sorted(maps.Keys(remedies)) {
		if !strings.Contains(remedies[reason].command, "{connection}") {
			continue
		}
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			sync := aSync("george", "Ready=False/"+reason)
			got := nextOfSync(t, aConnection("smile", ready), aUser("george", "smile", ready), sync)
			if !strings.Contains(got, " smileconnection smile ") {
				t.Errorf("next: %s", got)
			}
			if got := nextOfSync(t, sync); got != "" {
				t.Errorf("next without the user: %s", got)
			}
		})
	}
}

// A deletion that is blocked has the remedy of the reason that blocks it, because the force-orphan annotation leaves accounts
// linked.
func TestRemedyOfABlockedDeletion(t *testing.T) {
	t.Parallel()
	const text = "the deletion waits until something at Smile is revoked or deleted"
	for message, want := range map[string]string{
		text + " (" + v1alpha1.ReasonRevokesPaused + "): more than 20 revokes were requested": "kubectl annotate --overwrite " +
			`smileconnection smile smile-operator.io/approve-revokes="$(date)" --namespace=prod`,
		text + " (" + v1alpha1.ReasonSmileUnavailable + "): Smile cannot be reached (502): retry": "",
		text + " (OfANewerVersion): something":                                                    "",
		text:                                                                                      "",
	} {
		node := &Node{Name: "george", Namespace: "prod", kind: users, connection: "smile"}
		node.describe(aUser("george", "smile", "Ready=False/"+v1alpha1.ReasonDeletionBlocked+": "+message))
		if node.Next != want {
			t.Errorf("%s:\n%s", message, node.Next)
		}
		if node.Reason != v1alpha1.ReasonDeletionBlocked || node.Advice == "" {
			t.Errorf("%s: reason %s, advice %q", message, node.Reason, node.Advice)
		}
	}
}
