//go:build e2e

package cluster

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/smile-operator/smile-operator/internal/child"
	"github.com/smile-operator/smile-operator/internal/controlplane"
)

// registryHost is the one that the documentation names.
const registryHost = "registry.example.com"

// TestInstallOfReadme runs each block of commands in README's section Install: those that call make in the repository, with a registry
// of the test, and the others in a folder that contains nothing but the files of the release. Each time, the objects that README
// declares then become Ready.
func TestInstallOfReadme(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join(root(), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := fenced(section(t, string(content), "Install"), "sh")
	declared := fenced(section(t, string(content), "What you declare"), "yaml")
	if len(declared) == 0 {
		t.Fatal("README declares nothing")
	}
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	own := strings.TrimPrefix(server.URL, "http://")
	dist := filepath.Join(t.TempDir(), "dist")

	ways := map[string]bool{}
	for _, released := range []bool{false, true} { // the release is built first
		for _, block := range blocks {
			if usesMake := strings.Contains(block, "make "); usesMake == released {
				continue
			}
			way := strings.Fields(lastLine(block))[0] + map[bool]string{true: " with a release", false: " with the sources"}[released]
			ways[way] = true
			t.Run(way, func(t *testing.T) {
				c := newCluster(t)
				if released {
					if err := os.CopyFS(c.dir, os.DirFS(dist)); err != nil {
						t.Fatal(err)
					}
				} else {
					c.dir = root()
					block = strings.NewReplacer(registryHost, own, " dist/", " "+dist+"/").Replace(block)
				}
				c.firstUser(block, declared[0], "DIST="+dist, "RELEASE_ARCH="+runtime.GOARCH, "RELEASE_PLATFORMS=linux/"+runtime.GOARCH)
			})
		}
	}
	for _, way := range []string{"kubectl with a release", "helm with a release", "kubectl with the sources", "make with the sources"} {
		if !ways[way] {
			t.Errorf("README does not describe %s", way)
		}
	}
}

// firstUser installs the operator, declares what README declares, and waits for the user. The sandbox takes the place of the vendor's.
func (c *cluster) firstUser(install, declared string, environment ...string) {
	c.t.Helper()
	c.script(install, environment...)
	address, err := controlplane.FreeAddress(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	sandbox, err := child.Start(exec.Command(program(c.t, "smile-sandbox"), "--addr="+address))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = sandbox.Stop(30 * time.Second) })
	c.newNode("--sandbox-endpoint=http://" + address + "/v1")
	c.script("kubectl --namespace " + namespace + " rollout status deployment/smile-operator --timeout=60s\n" +
		"kubectl apply --server-side --filename - <<'EOF'\n" + declared + "\nEOF\n" +
		"kubectl wait --for=condition=Ready smileuser/george --timeout=60s")
}

// section returns the text under a heading.
func section(t *testing.T, document, heading string) string {
	t.Helper()
	_, text, found := strings.Cut(document, "\n## "+heading+"\n")
	if !found {
		t.Fatalf("there is no section %q", heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	return text
}

// fenced returns the blocks of code in a language.
func fenced(text, language string) []string {
	var blocks []string
	for _, match := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, match[1])
	}
	return blocks
}

func lastLine(block string) string {
	lines := strings.Split(strings.TrimSpace(block), "\n")
	return lines[len(lines)-1]
}
