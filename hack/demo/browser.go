package main

import (
	"context"
	"path/filepath"

	"github.com/chromedp/chromedp"

	"github.com/smile-operator/smile-operator/internal/chromium"
)

// phone is the size of the window.
var phone = chromium.Screen{Width: 390, Height: 844}

// browse has George open his link in Chromium and log in, and saves screenshots in bin/.
func (d *demo) browse(ctx context.Context) error {
	link, err := d.askForLink(ctx)
	if err != nil {
		return err
	}
	browser, err := chromium.Start(ctx, "")
	if err != nil {
		return err
	}
	defer browser.Close()
	page, closed, err := browser.NewPage(phone, "fil")
	if err != nil {
		return err
	}
	defer closed()
	type act func() error
	picture := func(name string) act {
		return func() error {
			path := filepath.Join("bin", "demo-"+name+".png")
			d.note(path)
			return page.Picture(filepath.Join(d.root, path))
		}
	}
	at := func(heading string) act { return func() error { return page.At(heading) } }
	press := func(name string) act { return func() error { return page.Press(name) } }
	enter := func(label, text string) act { return func() error { return page.Enter(label, text) } }
	for _, step := range []act{
		func() error { return page.Do(chromedp.Navigate(link)) },
		at("Niceloan asks to see your work and income data"), picture("1-consent"), press("Agree and continue"),
		at("Where do you work?"), picture("2-providers"), press("SSS"),
		at("Log in to SSS"), enter("User name, e-mail or mobile number", "George"), enter("Password", "123456"),
		picture("3-login"), press("Log in"),
		at("Enter the code"), enter("One-time code", "1234"), picture("4-code"), press("Continue"),
		at("SSS is connected"), picture("5-connected"), press("Done"),
		page.Gone, picture("6-closed"),
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
