package scenario

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// noFlags accepts the flag good.
func noFlags(name, _ string) error {
	if name != "good" {
		return fmt.Errorf("is not a flag")
	}
	return nil
}

// TestWrongFiles: each mistake is reported with its line and its field.
func TestWrongFiles(t *testing.T) {
	for name, test := range map[string]struct {
		file string
		want []string
	}{
		"empty":             {"", []string{"f.yaml: the file is empty"}},
		"no steps":          {"name: a\n", []string{"f.yaml:1: steps: there are no steps"}},
		"not YAML":          {"steps: [\n", []string{"f.yaml:2: did not find expected node content"}},
		"two documents":     {"steps: []\n---\nsteps: []\n", []string{"f.yaml: want one document, not several"}},
		"twice":             {"name: a\nname: b\nsteps: []\n", []string{`f.yaml:2: name: mapping key "name" already defined at line 1`}},
		"flag":              {"sandbox:\n  good: 1\n  bad: 2\nsteps:\n- advance: 1s\n", []string{"f.yaml:3: sandbox.bad: is not a flag"}},
		"unknown field":     {"steps:\n- link:\n    usr: a\n", []string{"f.yaml:3: step 1, link.usr: unknown field"}},
		"unknown step":      {"steps:\n- lnk: {}\n", []string{"f.yaml:2: step 1, lnk: unknown field"}},
		"text for a number": {"steps:\n- expect:\n    calls: {}\n    count: many\n", []string{"f.yaml:4: step 1, expect.count: want a whole number, not `many`"}},
		"text for fields":   {"steps:\n- link: george\n", []string{"f.yaml:2: step 1, link: want fields, not `george`"}},
		"text for a list":   {"steps:\n- run: npm test\n", []string{"f.yaml:2: step 1, run: want a list, not `npm test`"}},
		"list for a text":   {"steps:\n- user: {as: [a]}\n", []string{"f.yaml:2: step 1, user.as: want a single value or fields, not a list"}},
		"duration": {"steps:\n- advance: 5 days\n- findUser: {as: a, within: -1s}\n", []string{
			`f.yaml:2: step 1, advance: want a duration such as 5s or 744h, not "5 days"`,
			`f.yaml:3: step 2, findUser.within: want a duration such as 5s or 744h, not "-1s"`,
		}},
		"two things": {"steps:\n- advance: 1s\n  run: [a]\n", []string{
			"f.yaml:2: step 1: a step has exactly one of user, findUser, webhook, link, disconnect, fail, resync, advance, faults, deliveryFaults, run, expect; this one has 2",
		}},
		"users": {"steps:\n- user: {}\n- user: {as: a}\n- findUser: {as: a}\n- resync: {user: b, provider: sss_ph}\n", []string{
			"f.yaml:2: step 1, user.as: is required",
			"f.yaml:4: step 3, findUser.as: an earlier step has named a user a",
			"f.yaml:5: step 4, resync.user: no earlier step has a user or findUser with as: b",
		}},
		"link": {"steps:\n- user: {as: a}\n- link:\n    user: a\n    provider: sss\n    login: Nobody\n", []string{
			`f.yaml:5: step 2, link.provider: "sss" does not exist: want one of `,
			`f.yaml:6: step 2, link.login: "Nobody" is not a test person`,
		}},
		"webhook": {"steps:\n- webhook:\n    url: http://a\n    events:\n    - USER_CREATED\n    - NOTHING\n", []string{
			"f.yaml:2: step 1, webhook.secret: is required",
			`f.yaml:6: step 1, webhook.events[1]: event type "NOTHING" does not exist`,
		}},
		"error code": {"steps:\n- user: {as: a}\n- fail: {user: a, provider: sss_ph, errorCode: TIRED}\n", []string{
			`f.yaml:3: step 2, fail.errorCode: "TIRED" does not exist: want one of ACCOUNT_DISABLED, `,
		}},
		"faults": {"steps:\n- faults:\n  - {operation: create-user, action: sleep}\n- deliveryFaults:\n  - {eventType: X, action: lose}\n", []string{
			`f.yaml:3: step 1, faults[0]: action "sleep" does not exist`,
			`f.yaml:5: step 2, deliveryFaults[0]: event type "X" does not exist`,
		}},
		"expectations": {"steps:\n- expect: {count: 1}\n- expect:\n    calls: {operation: make-user}\n    count: 1\n    atMost: 2\n- expect: {accounts: {status: FINE}}\n- expect: {deliveries: {state: GONE, event: E}, atLeast: 3, atMost: 2}\n", []string{
			"f.yaml:2: step 1, expect: want exactly one of calls, deliveries and accounts; there are 0",
			`f.yaml:4: step 2, expect.calls.operation: "make-user" does not exist`,
			"f.yaml:5: step 2, expect.count: excludes atLeast and atMost",
			"f.yaml:7: step 3, expect.accounts.user: is required",
			`f.yaml:7: step 3, expect.accounts.status: "FINE" does not exist: want one of PENDING, `,
			`f.yaml:8: step 4, expect.deliveries.event: "E" does not exist`,
			`f.yaml:8: step 4, expect.deliveries.state: "GONE" does not exist: want one of PENDING, DELIVERED`,
			"f.yaml:8: step 4, expect: no number is at least 3 and at most 2",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read("f.yaml", []byte(test.file), noFlags)
			var problems *Problems
			if !errors.As(err, &problems) {
				t.Fatalf("%T %v", err, err)
			}
			got := strings.Split(err.Error(), "\n")
			if len(got) != len(test.want) {
				t.Fatalf("%d problems, want %d:\n%s", len(got), len(test.want), err)
			}
			for i, want := range test.want {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("%s\nwant %s", got[i], want)
				}
			}
		})
	}
}
