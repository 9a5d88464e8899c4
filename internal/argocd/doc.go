// Package argocd consists of tests only. They run the Lua scripts of config/argocd as Argo CD does, with and without Lua's
// standard libraries (resource.customizations.useOpenLibs), on objects whose status the operator itself has written.
//
// The scripts of SmileUser are the originals. make generate copies them to the other kinds, and writes argocd-cm.yaml, which has
// all scripts in the form of Argo CD's ConfigMap. The test data need a control plane: KUBEBUILDER_ASSETS=$PWD/bin/k8s go test
// ./internal/argocd -write writes them again. Without the flag, the tests fail if one of these files is not up to date.
package argocd
