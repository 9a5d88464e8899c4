package sandbox

import (
	"encoding/json"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// The items of the data points as the API shows them, without id and metadata,
// which an account's own copy gets. A field that a provider does not know is
// null, never absent. The canary tag names the fields that are personal and
// free enough to carry a marker.

type identity struct {
	FullName           string          `json:"fullName" canary:"fullName"`
	FirstName          *string         `json:"firstName" canary:"firstName"`
	MiddleName         *string         `json:"middleName" canary:"middleName"`
	LastName           *string         `json:"lastName" canary:"lastName"`
	Suffix             *string         `json:"suffix" canary:"suffix"`
	Gender             *string         `json:"gender"`
	DOB                *string         `json:"dob"`
	MaritalStatus      *string         `json:"maritalStatus"`
	CountryResidence   *string         `json:"countryResidence"`
	Citizenship        *string         `json:"citizenship"`
	PhotoURL           *string         `json:"photoUrl" canary:"photoUrl"`
	ReferenceID        *string         `json:"referenceId" canary:"referenceId"`
	ProfileURL         *string         `json:"profileUrl" canary:"profileUrl"`
	LatestEmployerName string          `json:"latestEmployerName" canary:"employer"`
	Emails             []email         `json:"emails"`
	Phones             []phone         `json:"phones"`
	SocialProfiles     []socialProfile `json:"socialProfiles"`
	Addresses          []address       `json:"addresses"`
}

type email struct {
	Address *string `json:"address" canary:"email"`
	Type    *string `json:"type"`
}

type phone struct {
	Number *string `json:"number" canary:"phone"`
	Type   *string `json:"type"`
}

type socialProfile struct {
	SocialURL *string `json:"socialUrl" canary:"socialUrl"`
	Type      *string `json:"type"`
}

type address struct {
	FullAddress *string  `json:"fullAddress" canary:"fullAddress"`
	Line1       *string  `json:"line1" canary:"line1"`
	Line2       *string  `json:"line2" canary:"line2"`
	City        *string  `json:"city" canary:"city"`
	Region      *string  `json:"region" canary:"region"`
	Zip         *string  `json:"zip" canary:"zip"`
	Country     *string  `json:"country"`
	Latitude    *string  `json:"latitude" canary:"latitude"`
	Longitude   *string  `json:"longitude" canary:"longitude"`
	Type        *string  `json:"type"`
	Tags        []string `json:"tags"`
}

type rating struct {
	CurrentRating        *json.Number `json:"currentRating"`
	MaxRating            *json.Number `json:"maxRating"`
	CalculatedPercentage *json.Number `json:"calculatedPercentage"`
	ReviewsReceived      *json.Number `json:"reviewsReceived"`
	LikesReceived        *json.Number `json:"likesReceived"`
	JobsCompleted        *json.Number `json:"jobsCompleted"`
}

type document struct {
	Name         string  `json:"name" canary:"documentName"`
	DocID        *string `json:"docId" canary:"docId"`
	Status       *string `json:"status"`
	DocumentType string  `json:"documentType"`
	IssueDate    *string `json:"issueDate"`
	ExpiryDate   *string `json:"expiryDate"`
	FileURL      *string `json:"fileUrl" canary:"fileUrl"`
	Remarks      *string `json:"remarks" canary:"remarks"`
}

type employment struct {
	Name           *string `json:"name" canary:"work"`
	Description    *string `json:"description" canary:"description"`
	JobTitle       *string `json:"jobTitle" canary:"jobTitle"`
	Department     *string `json:"department" canary:"department"`
	EmployeeNumber *string `json:"employeeNumber" canary:"employeeNumber"`
	EmployerNumber *string `json:"employerNumber" canary:"employerNumber"`
	Employer       *string `json:"employer" canary:"employer"`
	Status         *string `json:"status"`
	StartDate      string  `json:"startDate"`
	EndDate        *string `json:"endDate"`
	ReportedDate   *string `json:"reportedDate"`
}

type income struct {
	WorkItem    *string      `json:"workItem" canary:"workItem"`
	Employer    *string      `json:"employer" canary:"employer"`
	StartDate   string       `json:"startDate"`
	EndDate     *string      `json:"endDate"`
	Currency    string       `json:"currency"`
	Frequency   *string      `json:"frequency"`
	BaseAmount  *json.Number `json:"baseAmount"`
	GrossAmount *json.Number `json:"grossAmount"`
	NetAmount   *json.Number `json:"netAmount"`
}

type contribution struct {
	Date        string      `json:"date"`
	Currency    string      `json:"currency"`
	Amount      json.Number `json:"amount"`
	ReferenceID *string     `json:"referenceId" canary:"referenceId"`
}

type liability struct {
	Type                  string      `json:"type" canary:"liability"`
	ReferenceID           string      `json:"referenceId" canary:"referenceId"`
	StartDate             string      `json:"startDate"`
	EndDate               string      `json:"endDate"`
	FirstAmortizationDate string      `json:"firstAmortizationDate"`
	AmortizationFrequency *string     `json:"amortizationFrequency"`
	Currency              string      `json:"currency"`
	LoanAmount            json.Number `json:"loanAmount"`
	AmortizationAmount    json.Number `json:"amortizationAmount"`
	OutstandingBalance    json.Number `json:"outstandingBalance"`
	NextPaymentAmount     json.Number `json:"nextPaymentAmount"`
	OverduePaymentAmount  json.Number `json:"overduePaymentAmount"`
}

type transaction struct {
	Date        string      `json:"date"`
	Description *string     `json:"description" canary:"description"`
	Currency    string      `json:"currency"`
	Amount      json.Number `json:"amount"`
	ReferenceID *string     `json:"referenceId" canary:"referenceId"`
}

type eincome struct {
	Month      string       `json:"month"`
	Currency   string       `json:"currency"`
	Amount     *json.Number `json:"amount"`
	BaseAmount *json.Number `json:"baseAmount"`
}

type insight struct {
	CutoffTime string                     `json:"cutoffTime"`
	Features   map[string]json.RawMessage `json:"features"`
}

type link struct {
	StartDate string       `json:"startDate"`
	EndDate   string       `json:"endDate"`
	Records   []linkRecord `json:"records"`
}

type linkRecord struct {
	Count    int      `json:"count"`
	LinkedAt []string `json:"linkedAt"`
}

// dated items can be filtered by a day, or by a month in the case of eincomes.
type dated interface{ on() string }

func (e employment) on() string   { return e.StartDate }
func (i income) on() string       { return i.StartDate }
func (c contribution) on() string { return c.Date }
func (l liability) on() string    { return l.StartDate }
func (t transaction) on() string  { return t.Date }
func (e eincome) on() string      { return e.Month }

// recurring items come again every month. later gives the one n months on.
type recurring interface {
	dated
	later(n int) any
}

func (c contribution) later(n int) any {
	c.Date, c.ReferenceID = monthEnd(c.Date, n), nil
	return c
}

func (i income) later(n int) any {
	last := monthEnd(i.StartDate, n)
	i.StartDate = last[:len("2006-01-")] + "01"
	if i.EndDate != nil {
		i.EndDate = &last
	}
	return i
}

func (t transaction) later(n int) any {
	t.Date, t.ReferenceID = monthEnd(t.Date, n), nil
	return t
}

func (e eincome) later(n int) any {
	e.Month = monthEnd(e.Month+"-01", n)[:len("2006-01")]
	return e
}

// monthEnd is the last day of the month that lies n months after the given day.
func monthEnd(on string, n int) string {
	at, err := time.Parse(time.DateOnly, on)
	if err != nil {
		return on
	}
	return wire.Day(time.Date(at.Year(), at.Month()+time.Month(n)+1, 0, 0, 0, 0, 0, time.UTC))
}
