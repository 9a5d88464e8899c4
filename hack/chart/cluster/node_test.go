//go:build e2e

package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/smile-operator/smile-operator/internal/child"
	"github.com/smile-operator/smile-operator/internal/controlplane"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// pollInterval is the time between two looks at the cluster.
const pollInterval = 200 * time.Millisecond

// node does what the controllers of Deployments and Jobs and a kubelet do: it runs each replica of each Deployment, and the pod of each
// Job, as a process, and reports which are ready and which have ended.
type node struct {
	*cluster
	// flags are added to those of the operator in Deployments.
	flags []string

	mu        sync.Mutex
	addresses map[endpoint]string
	started   map[types.NamespacedName][]*pod
	jobs      map[types.UID]*pod
}

// endpoint is a port of a replica of a Deployment.
type endpoint struct {
	deployment types.NamespacedName
	replica    int
	port       int32
}

// newNode runs a node until the test ends.
func (c *cluster) newNode(flags ...string) *node {
	c.t.Helper()
	program(c.t, "smile-operator")
	program(c.t, "smile-sandbox")
	n := &node{cluster: c, flags: flags, addresses: map[endpoint]string{}, started: map[types.NamespacedName][]*pod{}, jobs: map[types.UID]*pod{}}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for ctx.Err() == nil {
			if err := n.step(ctx); err != nil && ctx.Err() == nil {
				c.t.Errorf("the node: %v", err)
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(pollInterval):
			}
		}
	})
	c.t.Cleanup(func() {
		cancel()
		running.Wait()
		n.stop()
	})
	return n
}

func (n *node) step(ctx context.Context) error {
	var deployments appsv1.DeploymentList
	if err := n.admin.List(ctx, &deployments); err != nil {
		return err
	}
	for i := range deployments.Items {
		d := &deployments.Items[i]
		key := client.ObjectKeyFromObject(d)
		if n.started[key] == nil {
			if err := n.start(ctx, d); err != nil {
				return fmt.Errorf("deployment %s: %w", key, err)
			}
		}
		ready := int32(0)
		for _, p := range n.started[key] {
			if !p.process.Running() {
				return fmt.Errorf("a pod of %s ended:\n%s", key, p.tail())
			}
			if p.ready(ctx) {
				ready++
			}
		}
		if err := n.report(ctx, d, ready); err != nil {
			return err
		}
	}
	return n.runJobs(ctx)
}

// runJobs runs the pod of each Job, and reports how it ended.
func (n *node) runJobs(ctx context.Context) error {
	var jobs batchv1.JobList
	if err := n.admin.List(ctx, &jobs); err != nil {
		return err
	}
	for i := range jobs.Items {
		job := &jobs.Items[i]
		p := n.jobs[job.UID]
		if p == nil {
			pods := appsv1.Deployment{ObjectMeta: *job.ObjectMeta.DeepCopy(), Spec: appsv1.DeploymentSpec{Template: job.Spec.Template}}
			started, err := n.newPod(ctx, &pods, 0)
			if err != nil {
				return fmt.Errorf("job %s: %w", job.Name, err)
			}
			n.jobs[job.UID] = started
			continue
		}
		if p.process.Running() || job.Status.CompletionTime != nil {
			continue
		}
		if err := p.process.Err(); err != nil {
			return fmt.Errorf("the pod of job %s: %w\n%s", job.Name, err, p.tail())
		}
		now := metav1.Now()
		job.Status.StartTime, job.Status.CompletionTime, job.Status.Succeeded = &now, &now, 1
		for _, condition := range []batchv1.JobConditionType{batchv1.JobSuccessCriteriaMet, batchv1.JobComplete} {
			job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{Type: condition, Status: corev1.ConditionTrue})
		}
		if err := n.admin.Status().Update(ctx, job); err != nil {
			return err
		}
	}
	return nil
}

// start starts all replicas.
func (n *node) start(ctx context.Context, d *appsv1.Deployment) error {
	for replica := range int(*d.Spec.Replicas) {
		p, err := n.newPod(ctx, d, replica)
		if err != nil {
			return err
		}
		n.started[client.ObjectKeyFromObject(d)] = append(n.started[client.ObjectKeyFromObject(d)], p)
	}
	return nil
}

// report writes the status that kubectl rollout status and helm --wait read.
func (n *node) report(ctx context.Context, d *appsv1.Deployment, ready int32) error {
	if d.Status.ObservedGeneration == d.Generation && d.Status.ReadyReplicas == ready {
		return nil
	}
	available := corev1.ConditionFalse
	if ready == *d.Spec.Replicas {
		available = corev1.ConditionTrue
	}
	d.Status = appsv1.DeploymentStatus{
		ObservedGeneration: d.Generation, Replicas: *d.Spec.Replicas, UpdatedReplicas: *d.Spec.Replicas,
		ReadyReplicas: ready, AvailableReplicas: ready, UnavailableReplicas: *d.Spec.Replicas - ready,
		Conditions: []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentAvailable, Status: available},
			{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable"},
		},
	}
	return n.admin.Status().Update(ctx, d)
}

// address returns the loopback address that stands for a port of a replica.
func (n *node) address(at endpoint) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.addresses[at] == "" {
		address, err := controlplane.FreeAddress(context.Background())
		if err != nil {
			return "", err
		}
		n.addresses[at] = address
	}
	return n.addresses[at], nil
}

// services returns the loopback addresses that stand for the ports of Services, by name.namespace.svc:port.
func (n *node) services(ctx context.Context) (map[string]string, error) {
	var services corev1.ServiceList
	var deployments appsv1.DeploymentList
	if err := errors.Join(n.admin.List(ctx, &services), n.admin.List(ctx, &deployments)); err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, service := range services.Items {
		selector := metav1.SetAsLabelSelector(service.Spec.Selector)
		for i := range deployments.Items {
			d := &deployments.Items[i]
			if len(service.Spec.Selector) == 0 || d.Namespace != service.Namespace || !matches(selector, d.Spec.Template.Labels) {
				continue
			}
			for _, port := range service.Spec.Ports {
				address, err := n.address(endpoint{client.ObjectKeyFromObject(d), 0, numbered(d, port.TargetPort.String())})
				if err != nil {
					return nil, err
				}
				all[fmt.Sprintf("%s.%s.svc:%d", service.Name, service.Namespace, port.Port)] = address
			}
		}
	}
	return all, nil
}

func matches(selector *metav1.LabelSelector, labels map[string]string) bool {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(labelSet(labels))
}

// numbered returns the number of a named port of a Deployment's container.
func numbered(d *appsv1.Deployment, name string) int32 {
	for _, port := range d.Spec.Template.Spec.Containers[0].Ports {
		if port.Name == name {
			return port.ContainerPort
		}
	}
	return 0
}

func (n *node) stop() {
	for _, pods := range n.started {
		for _, p := range pods {
			_ = p.process.Stop(30 * time.Second)
			if n.t.Failed() {
				n.t.Logf("the end of %s:\n%s", p.log, p.tail())
			}
		}
	}
}

// pod is a process in place of a pod.
type pod struct {
	process *child.Process
	log     string
	probe   string // URL
}

// newPod starts a replica. The API server must accept the pod first, so the Pod Security Standard of the namespace applies.
func (n *node) newPod(ctx context.Context, d *appsv1.Deployment, replica int) (*pod, error) {
	spec := d.Spec.Template.Spec
	accepted := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, GenerateName: d.Name + "-", Labels: d.Spec.Template.Labels}, Spec: spec,
	}
	if err := n.admin.Create(ctx, &accepted, client.DryRunAll); err != nil {
		return nil, err
	}
	container := spec.Containers[0]
	dir, err := os.MkdirTemp(n.state, d.Name+"-")
	if err != nil {
		return nil, err
	}
	local, err := n.localize(ctx, d, replica, dir)
	if err != nil {
		return nil, err
	}
	image, _, _ := strings.Cut(path.Base(strings.Split(container.Image, "@")[0]), ":")
	var args []string
	for _, arg := range container.Args {
		args = append(args, local.Replace(arg))
	}
	if image == "smile-operator" && d.Spec.Replicas != nil {
		args = append(args, n.flags...)
	}
	cmd := exec.Command(program(n.t, image), args...)
	cmd.Dir = dir
	if cmd.Env, err = n.variables(ctx, d, local, dir); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	cmd.Stdout, cmd.Stderr = log, log
	process, err := child.Start(cmd)
	if err != nil {
		return nil, err
	}
	if container.ReadinessProbe == nil {
		return &pod{process, log.Name(), ""}, nil
	}
	probed := container.ReadinessProbe.HTTPGet
	address, err := n.address(endpoint{client.ObjectKeyFromObject(d), replica, numbered(d, probed.Port.String())})
	return &pod{process, log.Name(), "http://" + address + probed.Path}, err
}

func (p *pod) ready(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.probe, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func (p *pod) tail() string {
	content, _ := os.ReadFile(p.log)
	return string(content[max(0, len(content)-4000):])
}
