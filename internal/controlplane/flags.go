package controlplane

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"k8s.io/client-go/rest"
)

// serviceNetwork is the range of the addresses of services.
const serviceNetwork = "10.0.0.0/24"

// component returns a component. Its probes use access.
func (cp *ControlPlane) component(bin binaries, name string, access *rest.Config, probes []string, flags ...[]string) (*Component, error) {
	trust, err := rest.TLSConfigFor(access)
	if err != nil {
		return nil, err
	}
	return &Component{
		Name:   name,
		Log:    filepath.Join(cp.dir.path, name+".log"),
		path:   bin[name],
		args:   slices.Concat(flags...),
		url:    access.Host,
		probes: probes,
		client: &http.Client{Transport: &http.Transport{TLSClientConfig: trust, DisableKeepAlives: true}},
	}, nil
}

func newEtcd(cp *ControlPlane, bin binaries, port, peerPort int, extra []string) (*Component, error) {
	url, peer := "http://"+hostPort(port), "http://"+hostPort(peerPort)
	return cp.component(bin, etcdBinary, &rest.Config{Host: url}, []string{"/health"}, []string{
		"--data-dir=" + filepath.Join(cp.dir.path, "etcd"),
		"--listen-client-urls=" + url,
		"--advertise-client-urls=" + url,
		"--listen-peer-urls=" + peer,
		"--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=default=" + peer,
		"--unsafe-no-fsync=true",
	}, extra)
}

// newAPIServer returns an API server with RBAC and the default admission plugins, except ServiceAccount: that one refuses pods
// unless a controller has created the account "default". Fair queueing and the endpoints of the service "kubernetes" are not
// required, and without them it starts faster.
func newAPIServer(cp *ControlPlane, bin binaries, port int, extra []string) (*Component, error) {
	url := "https://" + hostPort(port)
	return cp.component(bin, apiServerBinary, cp.keys.admin(url), []string{"/readyz", "/api/v1/namespaces/default"}, []string{
		"--etcd-servers=" + cp.Etcd.url,
		"--bind-address=" + loopback,
		"--secure-port=" + strconv.Itoa(port),
		"--tls-cert-file=" + cp.keys.file(servingFile),
		"--tls-private-key-file=" + cp.keys.file(servingKeyFile),
		"--client-ca-file=" + cp.keys.file(caFile),
		"--service-account-issuer=" + url,
		"--service-account-key-file=" + cp.keys.file(tokenKeyFile),
		"--service-account-signing-key-file=" + cp.keys.file(tokenKeyFile),
		"--service-cluster-ip-range=" + serviceNetwork,
		"--authorization-mode=RBAC",
		"--disable-admission-plugins=ServiceAccount",
		"--allow-privileged=true",
		"--endpoint-reconciler-type=none",
		"--enable-priority-and-fairness=false",
		"--profiling=false",
	}, extra)
}

// newControllerManager also writes the component's kubeconfig. It acts as system:kube-controller-manager, and each controller
// acts as its own service account, with the rights that Kubernetes gives it.
func newControllerManager(cp *ControlPlane, bin binaries, port int, extra []string) (*Component, error) {
	cert, key, err := cp.keys.client("system:kube-controller-manager")
	if err != nil {
		return nil, err
	}
	access, err := kubeconfig(cp.keys.access(cp.APIServer.url, cert, key), "kube-system")
	if err != nil {
		return nil, err
	}
	accessFile := cp.keys.file("controller-manager.kubeconfig")
	if err := os.WriteFile(accessFile, access, 0o600); err != nil {
		return nil, err
	}
	url := "https://" + hostPort(port)
	return cp.component(bin, controllerManagerBinary, cp.keys.access(url, nil, nil), []string{"/healthz"}, []string{
		"--kubeconfig=" + accessFile,
		"--controllers=namespace-controller,garbage-collector-controller",
		"--use-service-account-credentials=true",
		"--service-account-private-key-file=" + cp.keys.file(tokenKeyFile),
		"--root-ca-file=" + cp.keys.file(caFile),
		"--cluster-signing-cert-file=" + cp.keys.file(caFile),
		"--cluster-signing-key-file=" + cp.keys.file(caKeyFile),
		"--tls-cert-file=" + cp.keys.file(servingFile),
		"--tls-private-key-file=" + cp.keys.file(servingKeyFile),
		"--bind-address=" + loopback,
		"--secure-port=" + strconv.Itoa(port),
		"--leader-elect=false",
		"--profiling=false",
	}, extra)
}
