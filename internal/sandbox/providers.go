package sandbox

// Provider is a source of employment data as the API shows one.
type Provider struct {
	ID                string   `json:"id"`
	Name              string   `json:"name"`
	LongName          string   `json:"longName"`
	LogoURL           string   `json:"logoUrl"`
	Type              string   `json:"type"`
	TypeLabel         string   `json:"typeLabel"`
	SubType           string   `json:"subType"`
	SubTypeLabel      string   `json:"subTypeLabel"`
	Active            bool     `json:"active"`
	Enabled           bool     `json:"enabled"`
	MFA               bool     `json:"mfa"`
	AccountConnection bool     `json:"accountConnection"`
	Supported         []string `json:"supported"`
	MonitorSupported  bool     `json:"monitorSupported"`
}

// kindOfProvider is a type or subtype with its label.
type kindOfProvider struct{ id, label string }

var (
	government = kindOfProvider{"GOVERNMENT", "Govt Service"}
	gig        = kindOfProvider{"GIG", "Gig Platform"}
	employer   = kindOfProvider{"EMPLOYER", "Employer"}

	insurance      = kindOfProvider{"INSURANCE", "Social Insurance"}
	services       = kindOfProvider{"SERVICES", "Professional Services"}
	transport      = kindOfProvider{"TRANSPORTATION", "Transport and Delivery"}
	identification = kindOfProvider{"IDENTIFICATION", "Identification"}
	humanResources = kindOfProvider{"HRIS", "Human Resource Information System"}
	trade          = kindOfProvider{"ISIC-G", "Wholesale and retail trade; repair of motor vehicles and motorcycles"}
)

// providers in the order in which they are listed. The first one is what
// seeded users are linked to first.
var providers = []*Provider{
	provider("sss_ph", "SSS", "Social Security System", government, insurance,
		"IDENTITIES", "EMPLOYMENTS", "DOCUMENTS", "CONTRIBUTIONS", "LIABILITIES", "EINCOMES").monitored(),
	provider("upwork", "Upwork", "Upwork Global Inc.", gig, services, "IDENTITIES", "TRANSACTIONS"),
	provider("freelancer", "Freelancer", "Freelancer Technology Pty Limited", gig, services, "IDENTITIES"),
	provider("grab", "Grab", "Grab Holdings Inc", gig, transport, "IDENTITIES"),
	provider("abcplatform", "ABC Platform", "ABC Platform Pte. Ltd.", gig, services, "IDENTITIES", "TRANSACTIONS", "RATINGS"),
	provider("xyzgigcompany", "XYZ Gig Company", "XYZ Gig Company Inc.", gig, transport,
		"IDENTITIES", "TRANSACTIONS", "RATINGS", "LINK", "INSIGHTS"),
	provider("cdecorp", "CDE Corporation", "CDE Corporation", employer, humanResources,
		"IDENTITIES", "EMPLOYMENTS", "INCOMES", "DOCUMENTS").withoutMFA(),
	provider("nbi_ph", "NBI", "National Bureau of Investigation", government, identification, "DOCUMENTS").withoutMFA(),
	provider("abccorp", "ABC Coporation", "ABC Coporation Inc.", employer, trade).withoutMFA().withoutLogin(),
}

func provider(id, name, longName string, kind, subKind kindOfProvider, supported ...string) *Provider {
	return &Provider{
		ID: id, Name: name, LongName: longName,
		LogoURL: "https://cdn.smileapi.io/image/provider-logo/v20210813064500/" + id + ".png",
		Type:    kind.id, TypeLabel: kind.label, SubType: subKind.id, SubTypeLabel: subKind.label,
		Active: true, Enabled: true, MFA: true, AccountConnection: true,
		Supported: append([]string{}, supported...),
	}
}

func (p *Provider) monitored() *Provider    { p.MonitorSupported = true; return p }
func (p *Provider) withoutMFA() *Provider   { p.MFA = false; return p }
func (p *Provider) withoutLogin() *Provider { p.AccountConnection = false; return p }

func providerByID(id string) *Provider {
	for _, p := range providers {
		if p.ID == id {
			return p
		}
	}
	return nil
}

// linkable providers have a login.
func linkable() []*Provider {
	var found []*Provider
	for _, p := range providers {
		if p.AccountConnection {
			found = append(found, p)
		}
	}
	return found
}
