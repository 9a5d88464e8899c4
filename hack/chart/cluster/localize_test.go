//go:build e2e

package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func labelSet(all map[string]string) labels.Set { return all }

// localize returns what replaces, in arguments and variables of a replica, that which exists only in a cluster: the names of Services,
// the ports of the pod, the paths of mounted files, and variables of the environment.
func (n *node) localize(ctx context.Context, d *appsv1.Deployment, replica int, dir string) (*strings.Replacer, error) {
	services, err := n.services(ctx)
	if err != nil {
		return nil, err
	}
	pairs := []string{"$(POD_NAMESPACE)", d.Namespace}
	for name, address := range services {
		pairs = append(pairs, name, address)
	}
	for _, port := range d.Spec.Template.Spec.Containers[0].Ports {
		address, err := n.address(endpoint{client.ObjectKeyFromObject(d), replica, port.ContainerPort})
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, fmt.Sprintf("=:%d", port.ContainerPort), "="+address)
	}
	for _, mount := range d.Spec.Template.Spec.Containers[0].VolumeMounts {
		place := filepath.Join(dir, "volumes", mount.Name)
		if err := n.mount(ctx, d, mount.Name, place); err != nil {
			return nil, err
		}
		pairs = append(pairs, mount.MountPath, place)
	}
	return strings.NewReplacer(pairs...), nil
}

// mount writes the Secret or the ConfigMap of a volume into files.
func (n *node) mount(ctx context.Context, d *appsv1.Deployment, name, place string) error {
	if err := os.MkdirAll(place, 0o750); err != nil {
		return err
	}
	files := map[string][]byte{}
	for _, volume := range d.Spec.Template.Spec.Volumes {
		if volume.Name != name {
			continue
		}
		switch {
		case volume.Secret != nil:
			var secret corev1.Secret
			if err := n.admin.Get(ctx, types.NamespacedName{Namespace: d.Namespace, Name: volume.Secret.SecretName}, &secret); err != nil {
				return err
			}
			files = secret.Data
		case volume.ConfigMap != nil:
			var configMap corev1.ConfigMap
			if err := n.admin.Get(ctx, types.NamespacedName{Namespace: d.Namespace, Name: volume.ConfigMap.Name}, &configMap); err != nil {
				return err
			}
			for key, text := range configMap.Data {
				files[key] = []byte(text)
			}
		}
	}
	for key, content := range files {
		if err := os.WriteFile(filepath.Join(place, key), content, 0o600); err != nil {
			return err
		}
	}
	if len(files) == 0 {
		return fmt.Errorf("the volume %s has no files", name)
	}
	return nil
}

// variables returns the environment of a container, and access to the API server with the rights of its ServiceAccount.
func (n *node) variables(ctx context.Context, d *appsv1.Deployment, local *strings.Replacer, dir string) ([]string, error) {
	var all []string
	for _, variable := range d.Spec.Template.Spec.Containers[0].Env {
		text := local.Replace(variable.Value)
		if source := variable.ValueFrom; source != nil {
			switch {
			case source.FieldRef != nil && source.FieldRef.FieldPath == "metadata.namespace":
				text = d.Namespace
			case source.FieldRef != nil && source.FieldRef.FieldPath == "status.podIP":
				text = "127.0.0.1"
			default:
				return nil, fmt.Errorf("the variable %s has a source that the test does not know", variable.Name)
			}
		}
		all = append(all, variable.Name+"="+text)
	}
	spec := d.Spec.Template.Spec
	if spec.AutomountServiceAccountToken != nil && !*spec.AutomountServiceAccountToken {
		return all, nil
	}
	access, err := n.plane.KubeconfigFor(ctx, types.NamespacedName{Namespace: d.Namespace, Name: spec.ServiceAccountName})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "kubeconfig")
	return append(all, "KUBECONFIG="+file), os.WriteFile(file, access, 0o600)
}
