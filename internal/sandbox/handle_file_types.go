package sandbox

import "slices"

// fileType is a kind of document that people hand in.
type fileType struct {
	LogoURL   string   `json:"logoUrl"`
	Type      string   `json:"type"`
	TypeLabel string   `json:"typeLabel"`
	Active    bool     `json:"active"`
	Enabled   bool     `json:"enabled"`
	OCR       bool     `json:"ocr"`
	Supported []string `json:"supported"`
}

var fileTypes = []fileType{
	newFileType("PAYSLIP", "Payslip", true, "IDENTITIES", "EMPLOYMENTS", "INCOMES"),
	newFileType("TAX_DOCUMENT", "Tax Document", true, "IDENTITIES", "EMPLOYMENTS", "INCOMES"),
	newFileType("COMPANY_ID", "Company ID", false, "IDENTITIES", "EMPLOYMENTS"),
	newFileType("CLEARANCE_NBI", "NBI Clearance", true, "IDENTITIES", "DOCUMENTS"),
	newFileType("ID_FRONT", "ID, front", false, "IDENTITIES"),
	newFileType("ID_BACK", "ID, back", false, "IDENTITIES"),
	newFileType("BACK_STATEMENT", "Bank Statement", false, "TRANSACTIONS"),
	newFileType("UTILITY_BILLS", "Utility Bills", true, "IDENTITIES"),
	newFileType("CLEARANCE_POLICE", "Police Clearance", false, "DOCUMENTS"),
	newFileType("CLEARANCE_BARANGAY", "Barangay Clearance", false, "DOCUMENTS"),
	newFileType("SOCIAL_SECURITY", "Social Security Records", false, "CONTRIBUTIONS"),
	newFileType("OTHERS", "Others", false, "NONE"),
}

func newFileType(name, label string, ocr bool, supported ...string) fileType {
	return fileType{
		LogoURL: "https://cdn.smileapi.io/image/provider-logo/v20210813064500/" + name + ".png",
		Type:    name, TypeLabel: label, Active: true, Enabled: true, OCR: ocr, Supported: supported,
	}
}

// archiveTypes is what an archive may say that it is: a file type, or what
// classification finds.
func archiveTypes() []string {
	all := []string{"EMPLOYMENT_CERTIFICATE", "BANK_STATEMENT", "GOVERNMENT_ID", "TELCO_BILL", "ELECTRICITY_BILL", "WATER_BILL"}
	for _, known := range fileTypes {
		all = append(all, known.Type)
	}
	slices.Sort(all)
	return all
}

func listFileTypes(c *call) reply {
	wanted := func(f fileType) bool {
		return matches(f.Type, c.filter("type")) && c.is("active", f.Active) && c.is("enabled", f.Enabled) && c.is("ocr", f.OCR)
	}
	return paginate(c, placed(fileTypes, c.paging.from), wanted, func(f fileType) any { return f })
}
