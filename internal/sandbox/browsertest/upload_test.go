//go:build e2e

package browsertest

import (
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
)

// offer chooses a file, as a person does in the browser's dialog.
func (w *widget) offer(name string, content []byte) *widget {
	w.t.Helper()
	evaluate[bool](w.tab, fmt.Sprintf(`(() => {
		const bytes = Uint8Array.from(atob(%q), (letter) => letter.codePointAt(0));
		const chosen = new DataTransfer();
		chosen.items.add(new File([bytes], %q));
		const picker = %s.querySelector(".picker");
		picker.files = chosen.files;
		return picker.dispatchEvent(new Event("change"));
	})()`, base64.StdEncoding.EncodeToString(content), name, shadow))
	return w
}

func TestUpload(t *testing.T) {
	parallel(t)
	for _, s := range screens {
		t.Run(s.name, func(t *testing.T) {
			c := newCompany(t, sandbox.Options{})
			w := c.openWidget(s, options{"enableUpload": true})
			w.at("This service asks to see your work and income data").press("Agree and continue")
			w.at("Where do you work?").press("ABC Coporation").at("Which document do you have?").picture("15-file-types")
			w.press("Payslip").at("Payslip")
			w.offer("song.mp3", []byte("x")).says("song.mp3 is not a PDF, PNG or JPEG file.")
			w.offer("none.pdf", nil).says("none.pdf is empty.")
			w.offer("book.pdf", make([]byte, 15<<20+1)).says("book.pdf is larger than 15 MB.")
			w.offer("payslip.pdf", fixtures.SamplePayslip()).says("payslip.pdf")
			w.fits()
			w.picture("16-upload")
			w.press("Upload").at("Thank you, your document was received").picture("17-uploaded")

			archive := c.theArchive()
			uploads := []map[string]any{{"uploads": []any{map[string]any{"id": archive.ID, "fileType": "PAYSLIP"}}, "userId": c.userID}}
			atPayslip := c.opened("FileTypePageOpened", nil)
			atPayslip.Values[0]["archive"] = map[string]any{"fileType": "PAYSLIP"}
			thanked := c.opened("ArchiveSuccessPageOpened", nil)
			thanked.Values[0]["archive"] = map[string]any{"fileType": "PAYSLIP"}
			story := []call{
				c.opened("ConsentPageOpened", nil), c.opened("ProviderListPageOpened", nil), c.opened("FileTypeListPageOpened", nil),
				atPayslip,
				{"onUploadsCreated", uploads},
				thanked,
			}
			w.expect(story...)
			if archive.State.Status != "ANALYZED" || archive.ProviderID != "user-provided" {
				t.Errorf("the archive is %+v", archive)
			}

			w.press("Upload another document").at("Which document do you have?").press("Back").at("Where do you work?").picture("18-list-documents")
			w.press("Payslip").at("Payslip").picture("19-delete")
			w.press("Delete").at("Delete Payslip?").press("Yes, delete").says("Payslip was deleted.").press("Close").gone()
			atRevoke := c.opened("RevokeArchivePageOpened", nil)
			atRevoke.Values[0]["archive"] = map[string]any{"fileType": "PAYSLIP"}
			w.expect(append(story,
				c.opened("FileTypeListPageOpened", nil), c.opened("ProviderListPageOpened", nil), atRevoke,
				call{"onUploadsRemoved", uploads}, c.opened("ProviderListPageOpened", nil), closed("close"))...)
			if got := c.theArchive().State.Status; got != "REVOKED" {
				t.Errorf("after its deletion the archive is %s", got)
			}
		})
	}
}

type archive struct {
	ID, ProviderID string
	State          struct{ Status string }
}

// theArchive is the user's only archive, as the backend sees it.
func (c *company) theArchive() archive {
	c.t.Helper()
	found := rows[archive](c, "/v1/archives?userId="+c.userID)
	if len(found) != 1 {
		c.t.Fatalf("the user has %d archives", len(found))
	}
	return found[0]
}
