//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// page is a page of the documentation whose code blocks are executed. The second word of a block's info string names
// the step to which it belongs; blocks of the step "setup" come before each.
type page struct {
	steps map[string]string
	// dir is where the commands run, and leave their files.
	dir string
	// programs is a directory with further programs for the commands; "" for none.
	programs string
}

var fence = regexp.MustCompile("(?ms)^```sh ([a-z]+)\n(.*?)^```$")

func (s *suite) page(t *testing.T, name string) *page {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.root, "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	p := &page{steps: map[string]string{}, dir: t.TempDir()}
	for _, block := range fence.FindAllStringSubmatch(string(text), -1) {
		p.steps[block[1]] += block[2]
	}
	return p
}

// run executes a step as the administrator of a control plane.
func (p *page) run(t *testing.T, s *suite, step string) {
	t.Helper()
	if p.steps[step] == "" {
		t.Fatalf("the page has no step %s", step)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", p.steps["setup"]+p.steps[step])
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "KUBECONFIG="+s.adminConfig, "PATH="+filepath.Dir(s.kubectl)+":"+p.programs+":"+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the step %s: %v\n%s", step, err, out)
	}
	t.Logf("the step %s:\n%s", step, strings.TrimSpace(p.steps[step]))
}
