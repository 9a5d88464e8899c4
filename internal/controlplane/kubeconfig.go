package controlplane

import (
	"context"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// tokenValid is how long the token of KubeconfigFor is valid.
const tokenValid = 30 * 24 * time.Hour

// contextName is the only context of the kubeconfigs written here.
const contextName = "smile"

// Kubeconfig returns an administrator's kubeconfig file.
func (cp *ControlPlane) Kubeconfig() ([]byte, error) { return kubeconfig(cp.Config(), "default") }

// KubeconfigFor returns a kubeconfig file for an existing service account, with exactly its rights, valid for 30 days. Its
// context names the account's namespace.
func (cp *ControlPlane) KubeconfigFor(ctx context.Context, account types.NamespacedName) ([]byte, error) {
	config, err := cp.ConfigFor(ctx, account)
	if err != nil {
		return nil, err
	}
	return kubeconfig(config, account.Namespace)
}

// ConfigFor is like KubeconfigFor, and returns a rest.Config.
func (cp *ControlPlane) ConfigFor(ctx context.Context, account types.NamespacedName) (*rest.Config, error) {
	client, err := corev1client.NewForConfig(cp.Config())
	if err != nil {
		return nil, err
	}
	seconds := int64(tokenValid.Seconds())
	token, err := client.ServiceAccounts(account.Namespace).CreateToken(ctx, account.Name,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}},
		metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("token for service account %s: %w", account, err)
	}
	config := cp.keys.access(cp.APIServer.URL(), nil, nil)
	config.BearerToken = token.Status.Token
	return config, nil
}

func kubeconfig(config *rest.Config, namespace string) ([]byte, error) {
	file := clientcmdapi.NewConfig()
	file.Clusters[contextName] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
	file.AuthInfos[contextName] = &clientcmdapi.AuthInfo{
		ClientCertificateData: config.CertData, ClientKeyData: config.KeyData, Token: config.BearerToken,
	}
	file.Contexts[contextName] = &clientcmdapi.Context{Cluster: contextName, AuthInfo: contextName, Namespace: namespace}
	file.CurrentContext = contextName
	return clientcmd.Write(*file)
}
