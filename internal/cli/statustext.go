package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// marks are the sign and the color of a state.
var marks = map[State]struct {
	sign  string
	color hue
}{
	StateReady:     {"✓", green},
	StateWaiting:   {"●", yellow},
	StateSuspended: {"‖", yellow},
	StateDeleting:  {"●", yellow},
	StateNotReady:  {"✗", yellow},
	StateFailed:    {"✗", red},
	StateMissing:   {"✗", red},
	StateUnknown:   {"?", gray},
}

// folded is up to how many ready objects under a connection are each shown.
const folded = 5

// Names are the objects that are not ready.
func (s *Status) Names() []string {
	var names []string
	for _, root := range s.Connections {
		root.each(func(n *Node) {
			if n.State != StateReady && n.State != StateMissing && n.State != StateUnknown {
				names = append(names, target{n.kind, n.Name}.String())
			}
		})
	}
	return names
}

// each calls a function for a node and all below it.
func (n *Node) each(do func(*Node)) {
	do(n)
	for _, child := range n.Children {
		child.each(do)
	}
}

// Write writes the tree.
func (s *Status) Write(out io.Writer) {
	states, total := map[State]int{}, 0
	for _, root := range s.Connections {
		root.each(func(n *Node) {
			states[n.State]++
			total++
		})
	}
	if total == 0 {
		fmt.Fprintln(out, "There are no objects of smile-operator here. -A shows all namespaces.")
	}
	for _, root := range s.Connections {
		s.node(out, root, root.Namespace+"/", "", "")
		fmt.Fprintln(out)
	}
	if total > 0 {
		s.paragraph(out, summary(states, total))
	}
	for _, reason := range s.NotShown {
		s.paragraph(out, "Not shown: "+reason)
	}
}

func (s *Status) paragraph(out io.Writer, text string) {
	for _, line := range wrap(text, s.style.width) {
		fmt.Fprintln(out, line)
	}
}

// summary counts the objects by state.
func summary(states map[State]int, total int) string {
	if states[StateReady] == total {
		return fmt.Sprintf("All %d objects are ready.", total)
	}
	var parts []string
	for _, state := range slices.Sorted(maps.Keys(states)) {
		parts = append(parts, fmt.Sprintf("%d %s", states[state], state))
	}
	return fmt.Sprintf("%d objects: %s.", total, strings.Join(parts, ", "))
}

// node writes a node and what is below it. branch leads to the node, and stem to what is below it.
func (s *Status) node(out io.Writer, n *Node, prefix, branch, stem string) {
	mark := marks[n.State]
	title := string(n.State)
	if n.State != StateReady && n.Reason != "" && n.Reason != string(n.State) {
		title += ": " + plain(n.Reason)
	}
	name := n.kind.noun + " " + plain(prefix+n.Name)
	fmt.Fprint(out, s.style.paint(branch, gray), s.style.paint(mark.sign, mark.color), " ", name, "  ",
		s.style.paint(title, mark.color))
	left := s.style.width - columns(branch+mark.sign+" "+name+"  "+title+"  ")
	if detail := cut(plain(n.Detail), left); detail != "" {
		fmt.Fprint(out, "  ", s.style.paint(detail, gray))
	}
	fmt.Fprintln(out)
	shown, hidden := s.fold(n.Children)
	below := "   "
	if len(shown) > 0 || hidden != "" {
		below = "│  "
	}
	s.explain(out, n, stem+below)
	for i, child := range shown {
		if last := i == len(shown)-1 && hidden == ""; last {
			s.node(out, child, "", stem+"└─ ", stem+"   ")
		} else {
			s.node(out, child, "", stem+"├─ ", stem+"│  ")
		}
	}
	if hidden != "" {
		fmt.Fprintln(out, s.style.paint(stem+"└─ "+hidden, gray))
	}
}

// explain writes why a node is not ready, and what to do.
func (s *Status) explain(out io.Writer, n *Node, stem string) {
	write := func(text string) {
		for _, line := range wrap(text, s.style.width-columns(stem)) {
			fmt.Fprintln(out, s.style.paint(stem, gray)+line)
		}
	}
	if message := plain(n.Message); message != "" && n.State != StateReady {
		write(message)
	}
	if n.Advice != "" {
		write("→ " + n.Advice)
	}
	if n.Next != "" {
		fmt.Fprintln(out, s.style.paint(stem, gray)+"$ "+plain(n.Next))
	}
}

// fold chooses the children to show. Of many objects of a kind that are ready with all below them, only the number is shown.
func (s *Status) fold(children []*Node) (shown []*Node, hidden string) {
	ready := map[string]int{}
	for _, child := range children {
		if child.healthy() {
			ready[child.Kind]++
		}
	}
	var parts []string
	for _, k := range kinds {
		if n := ready[k.name]; n > folded && !s.all {
			parts = append(parts, fmt.Sprintf("%d %ss", n, k.noun))
		} else {
			delete(ready, k.name)
		}
	}
	for _, child := range children {
		if ready[child.Kind] == 0 || !child.healthy() {
			shown = append(shown, child)
		}
	}
	if len(parts) > 0 {
		hidden = strings.Join(parts, " and ") + " that are ready, with what depends on them (--all shows them)"
	}
	return shown, hidden
}

// healthy reports whether a node and all below it need no attention. A person who has not linked an account yet needs none.
func (n *Node) healthy() bool {
	fine := true
	n.each(func(n *Node) {
		fine = fine && (n.State == StateReady || n.State == StateWaiting && n.Reason == v1alpha1.ReasonAwaitingEndUser)
	})
	return fine
}
