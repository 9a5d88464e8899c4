// Package sandboxtest starts the Smile sandbox in tests of your own application: an
// offline emulation of Smile's API with the widget, webhooks, a clock and faults.
//
//	func TestIncome(t *testing.T) {
//		box := sandboxtest.Start(t, sandboxtest.Options{})
//		app := newApplication(box.BaseURL, box.Key, box.Secret) // your code
//
//		user := box.CreateUser(map[string]string{"customer": "42"})
//		box.Link(user.ID, "sss_ph", "George") // what the person does in the widget
//		if got := app.income(user.ID); got == 0 {
//			t.Error("no income")
//		}
//	}
//
// [Start] runs the sandbox inside the test. [StartProcess] runs the program
// smile-sandbox. [Connect] uses one that runs already, such as a container. All three
// wait until it serves. Ports are free ones of the loopback interface, so tests can run
// in parallel. A sandbox ends with its test.
//
// The methods of [Sandbox] use the control API of the sandbox. It needs no key pair, is
// not in the list of calls, and is not subject to rate limits and faults. A method that
// fails ends the test.
//
// The test people, their logins and the people with trouble are listed in
// docs/sandbox.md. Programs in other languages use the same program and control API:
// docs/sandbox-tests.md.
package sandboxtest
