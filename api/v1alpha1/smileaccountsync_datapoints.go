package v1alpha1

// DatapointType is a kind of data, as the vendor names it.
// +kubebuilder:validation:Enum=IDENTITIES;EMPLOYMENTS;INCOMES;CONTRIBUTIONS;EINCOMES;TRANSACTIONS;DOCUMENTS;RATINGS;LIABILITIES;LINK;INSIGHTS
type DatapointType string

// FieldPath selects one field of an item, for example addresses[].fullAddress. Names are joined by dots. After the name of a list,
// [] selects all elements and [n] selects one.
// +kubebuilder:validation:MaxLength=128
// +kubebuilder:validation:Pattern=`^[A-Za-z][A-Za-z0-9_]*(\[[0-9]{0,3}\])?(\.[A-Za-z][A-Za-z0-9_]*(\[[0-9]{0,3}\])?)*$`
type FieldPath string

// The rules of Datapoint accept only fields that the vendor documents, so that a typing error is reported at once. A test compares
// the rules with the sandbox's OpenAPI document.

// Datapoint selects one kind of data.
// +kubebuilder:validation:XValidation:rule=`self.type != 'IDENTITIES' || !has(self.fields) || self.fields.all(f, f.matches(r'^(id|fullName|firstName|middleName|lastName|suffix|gender|dob|maritalStatus|countryResidence|citizenship|photoUrl|referenceId|profileUrl|latestEmployerName|emails(\[[0-9]*\](\.(address|type))?)?|phones(\[[0-9]*\](\.(number|type))?)?|socialProfiles(\[[0-9]*\](\.(socialUrl|type))?)?|addresses(\[[0-9]*\](\.(fullAddress|line1|line2|city|region|zip|country|latitude|longitude|type|tags(\[[0-9]*\])?))?)?)$'))`,message="fields of IDENTITIES are id, fullName, firstName, middleName, lastName, suffix, gender, dob, maritalStatus, countryResidence, citizenship, photoUrl, referenceId, profileUrl, latestEmployerName, emails[].address, emails[].type, phones[].number, phones[].type, socialProfiles[].socialUrl, socialProfiles[].type, addresses[].fullAddress, addresses[].line1, addresses[].line2, addresses[].city, addresses[].region, addresses[].zip, addresses[].country, addresses[].latitude, addresses[].longitude, addresses[].type, addresses[].tags[]; put other fields into additional"
// +kubebuilder:validation:XValidation:rule=`self.type != 'EMPLOYMENTS' || !has(self.fields) || self.fields.all(f, f.matches(r'^(id|startDate|endDate|reportedDate|name|description|jobTitle|department|employeeNumber|employerNumber|employer|status)$'))`,message="fields of EMPLOYMENTS are id, startDate, endDate, reportedDate, name, description, jobTitle, department, employeeNumber, employerNumber, employer, status; put other fields into additional"
// +kubebuilder:validation:XValidation:rule=`self.type != 'INCOMES' || !has(self.fields) || self.fields.all(f, f.matches(r'^(id|startDate|endDate|currency|workItem|employer|frequency|baseAmount|grossAmount|netAmount)$'))`,message="fields of INCOMES are id, startDate, endDate, currency, workItem, employer, frequency, baseAmount, grossAmount, netAmount; put other fields into additional"
// +kubebuilder:validation:XValidation:rule=`self.type != 'CONTRIBUTIONS' || !has(self.fields) || self.fields.all(f, f.matches(r'^(id|date|currency|amount|referenceId)$'))`,message="fields of CONTRIBUTIONS are id, date, currency, amount, referenceId; put other fields into additional"
// +kubebuilder:validation:XValidation:rule=`self.type != 'EINCOMES' || !has(self.fields) || self.fields.all(f, f.matches(r'^(id|month|currency|amount|baseAmount)$'))`,message="fields of EINCOMES are id, month, currency, amount, baseAmount; put other fields into additional"
// +kubebuilder:validation:XValidation:rule=`self.type != 'TRANSACTIONS' || !has(self.fields) || self.fields.all(f, f.matches(r'^(id|date|description|currency|amount|referenceId)$'))`,message="fields of TRANSACTIONS are id, date, description, currency, amount, referenceId; put other fields into additional"
// +kubebuilder:validation:XValidation:rule=`self.type != 'DOCUMENTS' || !has(self.fields) || self.fields.all(f, f.matches(r'^(id|name|docId|status|documentType|issueDate|expiryDate|fileUrl|remarks)$'))`,message="fields of DOCUMENTS are id, name, docId, status, documentType, issueDate, expiryDate, fileUrl, remarks; put other fields into additional"
// +kubebuilder:validation:XValidation:rule=`self.type != 'RATINGS' || !has(self.fields) || self.fields.all(f, f.matches(r'^(id|currentRating|maxRating|calculatedPercentage|reviewsReceived|likesReceived|jobsCompleted)$'))`,message="fields of RATINGS are id, currentRating, maxRating, calculatedPercentage, reviewsReceived, likesReceived, jobsCompleted; put other fields into additional"
// +kubebuilder:validation:XValidation:rule=`self.type != 'LIABILITIES' || !has(self.fields) || self.fields.all(f, f.matches(r'^(id|type|referenceId|startDate|endDate|firstAmortizationDate|amortizationFrequency|currency|loanAmount|amortizationAmount|outstandingBalance|nextPaymentAmount|overduePaymentAmount)$'))`,message="fields of LIABILITIES are id, type, referenceId, startDate, endDate, firstAmortizationDate, amortizationFrequency, currency, loanAmount, amortizationAmount, outstandingBalance, nextPaymentAmount, overduePaymentAmount; put other fields into additional"
// +kubebuilder:validation:XValidation:rule=`self.type != 'LINK' || !has(self.fields) || self.fields.all(f, f.matches(r'^(id|startDate|endDate|records(\[[0-9]*\](\.(count|linkedAt(\[[0-9]*\])?))?)?)$'))`,message="fields of LINK are id, startDate, endDate, records[].count, records[].linkedAt[]; put other fields into additional"
// +kubebuilder:validation:XValidation:rule=`self.type != 'INSIGHTS' || !has(self.fields) || self.fields.all(f, f.matches(r'^(id|cutoffTime|features(\.[A-Za-z0-9_]+)?)$'))`,message="fields of INSIGHTS are id, cutoffTime, features.<name>; put other fields into additional"
type Datapoint struct {
	// type of the data.
	// +required
	Type DatapointType `json:"type"`

	// fields selects fields of each item that the vendor documents. Only selected fields are kept. If neither fields nor
	// additional is set, all fields are kept.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Fields []FieldPath `json:"fields,omitempty"`

	// additional selects further fields of each item. They are not checked, so they can name fields that this version of the
	// operator does not know.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Additional []FieldPath `json:"additional,omitempty"`
}

// Selected returns the fields of each item that are kept. None means all.
func (d Datapoint) Selected() []FieldPath {
	return append(append([]FieldPath(nil), d.Fields...), d.Additional...)
}
