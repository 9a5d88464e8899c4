package sandbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
)

// payslip is what can be read from one.
type payslip struct {
	StartDate        *string      `json:"startDate,omitempty"`
	EndDate          *string      `json:"endDate,omitempty"`
	PayDate          *string      `json:"payDate,omitempty"`
	Currency         *string      `json:"currency,omitempty"`
	GrossAmount      *json.Number `json:"grossAmount,omitempty"`
	NetAmount        *json.Number `json:"netAmount,omitempty"`
	EmployerName     *string      `json:"employerName,omitempty"`
	EmployeeName     *string      `json:"employeeName,omitempty"`
	SSNumber         *string      `json:"ssNumber,omitempty"`
	PhilHealthNumber *string      `json:"philHealthNumber,omitempty"`
	TaxNumber        *string      `json:"taxNumber,omitempty"`
	PagIbigNumber    *string      `json:"pagIbigNumber,omitempty"`
}

// SamplePayslip is the one file that the sandbox can read, a PDF. It is served
// as /_sandbox/samples/payslip.pdf.
func SamplePayslip() []byte {
	return pdf([]string{
		"PAYSLIP", "Employer: ABC Corporation", "Employee: George Cimafranca Palomero, Jr",
		"Period: 2022-06-01 to 2022-06-30", "Paid on: 2022-06-30", "Gross: PHP 10000.00", "Net: PHP 7820.25", "SS number: 3300000008",
	})
}

var samplePayslipSum = sha256.Sum256(SamplePayslip())

// samplePayslip is what the sample says.
func samplePayslip() *payslip {
	gross, net := json.Number("10000.00"), json.Number("7820.25")
	return &payslip{
		StartDate: ptr("2022-06-01"), EndDate: ptr("2022-06-30"), PayDate: ptr("2022-06-30"), Currency: ptr("PHP"),
		GrossAmount: &gross, NetAmount: &net, EmployerName: ptr("ABC Corporation"),
		EmployeeName: ptr("George Cimafranca Palomero, Jr"), SSNumber: ptr("3300000008"),
	}
}

// pdf is a document of one page with these lines, plain ASCII without brackets.
func pdf(lines []string) []byte {
	var text bytes.Buffer
	text.WriteString("BT /F1 12 Tf 72 770 Td 16 TL\n")
	for _, line := range lines {
		fmt.Fprintf(&text, "(%s) Tj T*\n", line)
	}
	text.WriteString("ET\n")
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%sendstream", text.Len(), text.String()),
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
	}
	var file bytes.Buffer
	file.WriteString("%PDF-1.4\n")
	var table bytes.Buffer
	for i, object := range objects {
		fmt.Fprintf(&table, "%010d 00000 n \n", file.Len())
		fmt.Fprintf(&file, "%d 0 obj\n%s\nendobj\n", i+1, object)
	}
	begin := file.Len()
	fmt.Fprintf(&file, "xref\n0 %d\n0000000000 65535 f \n%s", len(objects)+1, table.String())
	fmt.Fprintf(&file, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, begin)
	return file.Bytes()
}
