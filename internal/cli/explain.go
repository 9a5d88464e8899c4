package cli

import (
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// defaultServer is where client-go looks for a cluster if none is configured.
const defaultServer = "http://localhost:8080/"

// explain says what an error means for the user, and what to do.
func explain(err error) string {
	switch {
	case clientcmd.IsEmptyConfig(err), strings.Contains(err.Error(), defaultServer):
		return "no cluster is configured: set KUBECONFIG, or use --kubeconfig or --server"
	case apierrors.IsForbidden(err):
		return fmt.Sprintf("%s\n%s", bare(err), "Ask for the right, or name a namespace in which you have it by --namespace. "+
			"The roles view, edit and admin include it for the operator's kinds: docs/scopes.md.")
	case apierrors.IsUnauthorized(err):
		return "the cluster does not accept your credentials: " + bare(err)
	case notInstalled(err):
		return "the cluster does not know the kinds of " + v1alpha1.GroupVersion.String() +
			": the CustomResourceDefinitions of smile-operator are not installed, or this plugin has another version"
	default:
		return bare(err)
	}
}

func notInstalled(err error) bool {
	var failed *apiutil.ErrResourceDiscoveryFailed
	var group *discovery.ErrGroupDiscoveryFailed
	return meta.IsNoMatchError(err) || errors.As(err, &failed) || errors.As(err, &group)
}

// bare is the text of an error without the prefix that the server repeats.
func bare(err error) string {
	return strings.TrimPrefix(err.Error(), "Error from server: ")
}
