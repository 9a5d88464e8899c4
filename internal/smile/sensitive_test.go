package smile_test

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/davecgh/go-spew/spew"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/smile-operator/smile-operator/internal/smile"
)

const secret = "s3cr3t-canary"

// holder has a Sensitive wherever a printer could come across one.
type holder struct {
	Exported   smile.Sensitive[string]
	unexported smile.Sensitive[string]
	Pointer    *smile.Sensitive[string]
	Raw        smile.Sensitive[json.RawMessage]
	Map        map[string]smile.Sensitive[[]byte]
}

func newHolder() holder {
	text := smile.NewSensitive(secret)
	return holder{
		Exported: text, unexported: text, Pointer: &text,
		Raw: smile.NewSensitive(json.RawMessage(`"` + secret + `"`)),
		Map: map[string]smile.Sensitive[[]byte]{"k": smile.NewSensitive([]byte(secret))},
	}
}

// printers are the ways in which a value reaches a text.
func printers() map[string]func(v any) string {
	all := map[string]func(v any) string{
		"json": func(v any) string { return encoded(json.Marshal(v)) },
		"xml":  func(v any) string { return encoded(xml.Marshal(v)) },
		"gob":  func(v any) string { var b bytes.Buffer; _ = gob.NewEncoder(&b).Encode(v); return b.String() },
		"slog text": func(v any) string {
			var b bytes.Buffer
			slog.New(slog.NewTextHandler(&b, nil)).Info("m", "v", v)
			return b.String()
		},
		"slog json": func(v any) string {
			var b bytes.Buffer
			slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "v", v)
			return b.String()
		},
		"zap":     zapped,
		"spew":    func(v any) string { return spew.Sdump(v) },
		"Sprint":  func(v any) string { return fmt.Sprint(v) },
		"wrapped": func(v any) string { return fmt.Errorf("failed: %v", v).Error() },
	}
	for _, verb := range "bcdeEfFgGopqstTUvxX" {
		for _, flags := range []string{"", "+", "#", " ", "0", "-8.3"} {
			format := "%" + flags + string(verb)
			all[format] = func(v any) string { return fmt.Sprintf(format, v) }
		}
	}
	return all
}

func encoded(text []byte, err error) string { return fmt.Sprintf("%s %v", text, err) }

func zapped(v any) string {
	var b bytes.Buffer
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	zap.New(zapcore.NewCore(encoder, zapcore.AddSync(&b), zap.DebugLevel)).Info("m", zap.Any("v", v))
	return b.String()
}

// revealing returns the forms of secret that text contains.
func revealing(text, secret string) []string {
	var found []string
	for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), fmt.Sprintf("%d", []byte(secret)), base64.StdEncoding.EncodeToString([]byte(secret))} {
		if form = strings.Trim(form, "[]"); strings.Contains(text, form) {
			found = append(found, form)
		}
	}
	return found
}

func TestSensitiveIsNeverPrinted(t *testing.T) {
	values := map[string]any{
		"itself":  smile.NewSensitive(secret),
		"pointer": newHolder().Pointer,
		"held":    newHolder(),
		"behind":  &struct{ Inner *holder }{Inner: new(newHolder())},
		"listed":  []any{newHolder(), newHolder().Raw},
		"nested":  smile.NewSensitive(smile.NewSensitive(secret)),
	}
	for name, value := range values {
		for printer, show := range printers() {
			if found := revealing(show(value), secret); found != nil {
				t.Errorf("%s printed by %s shows %q", name, printer, found)
			}
		}
	}
}

func TestSensitivePrintsItsPlaceholder(t *testing.T) {
	value := smile.NewSensitive(secret)
	for name, got := range map[string]string{
		"%v":       fmt.Sprintf("%v", value),
		"%#v":      fmt.Sprintf("%#v", value),
		"%d":       fmt.Sprintf("%d", value),
		"String":   value.String(),
		"GoString": value.GoString(),
		"LogValue": value.LogValue().String(),
	} {
		if got != "[REDACTED]" {
			t.Errorf("%s = %q", name, got)
		}
	}
	if got := encoded(json.Marshal(value)); got != `"[REDACTED]" <nil>` {
		t.Errorf("json = %s", got)
	}
}

func TestSensitiveKeepsItsValue(t *testing.T) {
	if got := smile.NewSensitive(secret).Reveal(); got != secret {
		t.Errorf("Reveal() = %q", got)
	}
	if got := (smile.Sensitive[int]{}).Reveal(); got != 0 {
		t.Errorf("zero Reveal() = %d", got)
	}
	if !smile.NewSensitive(secret).Equal(smile.NewSensitive(secret)) {
		t.Error("equal values are not Equal")
	}
	if smile.NewSensitive(secret).Equal(smile.Sensitive[string]{}) {
		t.Error("different values are Equal")
	}
}

func TestSensitiveDecodes(t *testing.T) {
	var got struct{ Token smile.Sensitive[string] }
	if err := json.Unmarshal([]byte(`{"token":"`+secret+`"}`), &got); err != nil || got.Token.Reveal() != secret {
		t.Errorf("decoded %q, %v", got.Token.Reveal(), err)
	}
	for _, bad := range []string{`{"token":12345678}`, `{"token":["` + secret + `"]}`, `{"token":{"x":"` + secret + `"}}`} {
		err := json.Unmarshal([]byte(bad), &got)
		if err == nil {
			t.Errorf("%s was decoded", bad)
			continue
		}
		if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "12345678") {
			t.Errorf("the error quotes the value: %v", err)
		}
	}
}
