package sandbox

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

//go:embed people/*.json
var peopleFiles embed.FS

// person is a test person: how one logs in, and the data that providers hold.
type person struct {
	Logins   []string                   `json:"logins"`
	Password string                     `json:"password"`
	MFA      string                     `json:"mfa"`
	Data     map[string]json.RawMessage `json:"data"`

	// templates by data point path, or by path@provider where one provider
	// holds something else than the others.
	templates map[string][]template
}

// people are read once, in the order of their files' names.
var people = sync.OnceValues(func() ([]*person, error) {
	files, err := peopleFiles.ReadDir("people")
	if err != nil {
		return nil, err
	}
	var all []*person
	for _, file := range files {
		text, err := peopleFiles.ReadFile("people/" + file.Name())
		if err != nil {
			return nil, err
		}
		p, err := newPerson(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file.Name(), err)
		}
		all = append(all, p)
	}
	return all, nil
})

func newPerson(text []byte) (*person, error) {
	p := &person{templates: map[string][]template{}}
	if err := wire.DecodeStrictly(text, p); err != nil {
		return nil, err
	}
	for key, items := range p.Data {
		path, _, _ := strings.Cut(key, "@")
		i := slices.IndexFunc(datapoints, func(d datapoint) bool { return d.path == path })
		if i < 0 {
			return nil, fmt.Errorf("%s is not a data point", key)
		}
		made, err := datapoints[i].decode(items)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		p.templates[key] = made
	}
	return p, nil
}

// items is what the provider holds on the person.
func (p *person) items(path, providerID string) []template {
	if own, found := p.templates[path+"@"+providerID]; found {
		return own
	}
	return p.templates[path]
}

// knows tells whether the person logs in like that: by user name, by e-mail
// address, or by a phone number however it is punctuated.
func (p *person) knows(login string) bool {
	return slices.ContainsFunc(p.Logins, func(own string) bool { return plain(own) == plain(login) })
}

// plain is a login without what people write differently.
func plain(login string) string {
	if strings.ContainsFunc(login, unicode.IsLetter) {
		return strings.ToLower(strings.TrimSpace(login))
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("+()- .", r) {
			return -1
		}
		return r
	}, login)
}

func whoHas(all []*person, login string) *person {
	i := slices.IndexFunc(all, func(p *person) bool { return p.knows(login) })
	if i < 0 || login == "" {
		return nil
	}
	return all[i]
}
