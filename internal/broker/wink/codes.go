// Package wink is the hosted page: it opens the Wink widget for a user who has a link. docs/wink.md describes it.
package wink

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"k8s.io/apimachinery/pkg/types"

	"github.com/smile-operator/smile-operator/internal/identity"
)

// maxCode is how long a code may be.
const maxCode = 1024

// Why a code is refused.
var (
	// ErrInvalid is the error for a code that no process of this installation has issued for the page.
	ErrInvalid = errors.New("the code is not valid")
	// ErrExpired is the error for a code that has expired.
	ErrExpired = errors.New("the code has expired")
	// ErrSuperseded is the error for a code of another process, which may have been used there.
	ErrSuperseded = errors.New("the code was issued by a former leader")
)

// Link is the content of a code. It identifies no person: the UID of a SmileUser means nothing outside of the cluster.
type Link struct {
	// Namespace and Widget of the page.
	Namespace, Widget string
	// User is the UID of the SmileUser.
	User types.UID
	// ID of the link, unique.
	ID string
	// ExpiresAt is until when the link can be opened.
	ExpiresAt time.Time
}

// page is the page that a code is for.
func page(namespace, widget string) string { return namespace + "/" + widget }

// Codes issues codes, and verifies those that it has issued. A code is a signed claim (JWT, HS256).
type Codes struct {
	key    []byte
	issuer string
	now    func() time.Time
}

// NewCodes makes the codes of this process. Another process with the same key does not accept them, because only this one
// remembers which of them were used.
func NewCodes(key identity.Key, now func() time.Time) *Codes {
	return &Codes{key: key.LinkCodes(), issuer: rand.Text(), now: now}
}

// Issue makes the code of a new link to a page.
func (c *Codes) Issue(namespace, widget string, user types.UID, validFor time.Duration) (code string, link Link, err error) {
	link = Link{
		Namespace: namespace, Widget: widget, User: user, ID: rand.Text(),
		ExpiresAt: c.now().Add(validFor).UTC().Truncate(time.Second),
	}
	code, err = jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer: c.issuer, Subject: string(user), Audience: jwt.ClaimStrings{page(namespace, widget)}, ID: link.ID,
		ExpiresAt: jwt.NewNumericDate(link.ExpiresAt),
	}).SignedString(c.key)
	if err != nil {
		return "", Link{}, fmt.Errorf("signing the code of a link: %w", err)
	}
	return code, link, nil
}

// Verify returns the link of a code to a page, or why there is none: ErrInvalid, ErrExpired or ErrSuperseded.
func (c *Codes) Verify(code, namespace, widget string) (Link, error) {
	if len(code) > maxCode {
		return Link{}, ErrInvalid
	}
	var claims jwt.RegisteredClaims
	_, err := jwt.ParseWithClaims(code, &claims, func(*jwt.Token) (any, error) { return c.key, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithStrictDecoding(),
		jwt.WithExpirationRequired(), jwt.WithAudience(page(namespace, widget)), jwt.WithTimeFunc(c.now))
	switch {
	case errors.Is(err, jwt.ErrTokenExpired) && !errors.Is(err, jwt.ErrTokenInvalidAudience):
		return Link{}, ErrExpired
	case err != nil || claims.ID == "" || claims.Subject == "":
		return Link{}, ErrInvalid
	case claims.Issuer != c.issuer:
		return Link{}, ErrSuperseded
	}
	return Link{
		Namespace: namespace, Widget: widget, User: types.UID(claims.Subject), ID: claims.ID, ExpiresAt: claims.ExpiresAt.Time,
	}, nil
}

// URLOf is the URL that opens a page with a code. The code is in the fragment, which browsers do not send to servers.
func URLOf(baseURL, namespace, widget, code string) string {
	return strings.TrimSuffix(baseURL, "/") + prefix + page(namespace, widget) + "#" + code
}
