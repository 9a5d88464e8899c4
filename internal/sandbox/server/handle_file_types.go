package server

import (
	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
)

func listFileTypes(c *call) reply {
	wanted := func(f fixtures.FileType) bool {
		return matches(f.Type, c.filter("type")) && c.is("active", f.Active) && c.is("enabled", f.Enabled) && c.is("ocr", f.OCR)
	}
	return paginate(c, placed(fixtures.FileTypes, c.paging.from), wanted, func(f fixtures.FileType) any { return f })
}
