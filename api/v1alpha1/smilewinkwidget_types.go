package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// SDKVersion is a version of the vendor's widget script.
// +kubebuilder:validation:Enum=v1;v2
type SDKVersion string

// The versions of the vendor's script.
const (
	SDKv1 SDKVersion = "v1"
	SDKv2 SDKVersion = "v2"
)

// ProviderType is a type of providers, as the vendor names it.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=100
// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_-]+$`
type ProviderType string

// WidgetOptions are the vendor's documented options of the widget. Newer templates (templateID) carry most of them.
type WidgetOptions struct {
	// companyName is shown to the end user.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=100
	CompanyName string `json:"companyName,omitempty"`

	// providers limits the list of providers to these ids. With exactly one, the widget skips the list.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=100
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z0-9_-]+$`
	Providers []string `json:"providers,omitempty"`

	// topProviders are listed first, in this order.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=10
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=100
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z0-9_-]+$`
	TopProviders []string `json:"topProviders,omitempty"`

	// providerTypes limits the list of providers to these types, such as GOVERNMENT.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=20
	ProviderTypes []ProviderType `json:"providerTypes,omitempty"`

	// enableConsentPage asks for consent first. The vendor's default is true, and false has an effect with one provider only.
	// +optional
	EnableConsentPage *bool `json:"enableConsentPage,omitempty"`

	// enableSearchBar shows a search field above the list of providers. The vendor's default is true.
	// +optional
	EnableSearchBar *bool `json:"enableSearchBar,omitempty"`

	// enableTypeBar shows the types of providers above the list. The vendor's default is true.
	// +optional
	EnableTypeBar *bool `json:"enableTypeBar,omitempty"`

	// enableUpload lets the end user upload documents. The vendor's default is false.
	// +optional
	EnableUpload *bool `json:"enableUpload,omitempty"`
}

// Origin is the origin of a page: scheme, host, and the port if it is not the default one.
// +kubebuilder:validation:MaxLength=300
// +kubebuilder:validation:XValidation:rule="self.matches(r'^https://[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?$|^http://(localhost|127[.]0[.]0[.]1)(:[0-9]{1,5})?$')",message="an allowed origin has the form https://host[:port], in lower case and without a path: http is permitted for localhost and 127.0.0.1 only"
type Origin string

// Color is a color of the hosted page.
// +kubebuilder:validation:MaxLength=7
// +kubebuilder:validation:XValidation:rule="self.matches('^#[0-9a-fA-F]{6}$')",message="a color has the form #rrggbb, such as #0a5c36"
type Color string

// PageColors are the two colors of the hosted page. The color of text on them is chosen by contrast: black or white.
type PageColors struct {
	// primary is the color of buttons. Default: #1b5e3f.
	// +optional
	Primary Color `json:"primary,omitempty"`

	// background is the color of the page. Default: #f4f6f5.
	// +optional
	Background Color `json:"background,omitempty"`
}

// PageText is a text of the hosted page.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=300
type PageText string

// PageMessages are the texts of the hosted page in one language.
type PageMessages struct {
	// language of the texts, as in BCP 47: id, or en-PH. The page has en and fil itself: texts given here replace its own.
	// +required
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:Pattern=`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`
	Language string `json:"language"`

	// texts by their keys; docs/wink.md lists the keys. A text that is missing is shown in English.
	// +required
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, k in ['title', 'opening', 'openFailed', 'retry', 'used', 'expired', 'superseded', 'invalid', 'missing', 'notReady', 'later', 'connected', 'closed', 'failed', 'tokenExpired', 'askAgain', 'mayClose', 'return', 'language', 'noScript'])",message="the keys of texts are title, opening, openFailed, retry, used, expired, superseded, invalid, missing, notReady, later, connected, closed, failed, tokenExpired, askAgain, mayClose, return, language and noScript"
	Texts map[string]PageText `json:"texts"`
}

// WidgetPage is the page that the operator serves, in which an end user opens the widget by a link. It requires the operator's
// flags --wink-bind-address and --wink-base-url.
type WidgetPage struct {
	// allowedOrigins are the origins of pages that may show this page in a frame, or open it, and that receive its events by
	// postMessage. Default: none.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=10
	AllowedOrigins []Origin `json:"allowedOrigins,omitempty"`

	// returnURL is where the end user goes when the widget is closed: a URL with the scheme https, or with that of an app of
	// yours. The parameter status is added to its query: connected, closed, error or expired. Default: the page stays.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=500
	// +kubebuilder:validation:XValidation:rule="self.matches(r'^[a-z][a-z0-9+.-]*://[^/?#@ \"<>\\\\^`{|}]') && isURL(self) && !self.contains('@')",message="returnURL must be a URL like https://app.example.com/linked or com.example.app://linked, without a user name"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^(http|javascript|data|vbscript|file|blob|about|filesystem|content|intent|view-source|ws|wss|ftp|chrome|chrome-extension|moz-extension|resource|jar)([+.-][a-z]*)?:')",message="returnURL must have the scheme https, or the scheme of your app: http, javascript, data, file, intent and other schemes of browsers are refused"
	ReturnURL string `json:"returnURL,omitempty"`

	// logoURL is an image that the page shows, with the scheme https. The page's Content-Security-Policy permits its host.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=500
	// +kubebuilder:validation:XValidation:rule="self.matches(r'^https://[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?/[^ ;,\"<>]*$')",message="logoURL must be a URL like https://cdn.example.com/logo.png, with the host in lower case"
	LogoURL string `json:"logoURL,omitempty"`

	// colors of the page.
	// +optional
	Colors *PageColors `json:"colors,omitempty"`

	// messages are texts in further languages. The page itself has English and Filipino.
	// +optional
	// +listType=map
	// +listMapKey=language
	// +kubebuilder:validation:MaxItems=8
	Messages []PageMessages `json:"messages,omitempty"`
}

// WidgetConfigMap names a ConfigMap.
type WidgetConfigMap struct {
	// name of the ConfigMap. It must not exist yet, or must have been created for this SmileWinkWidget.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=240
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Name string `json:"name"`
}

// WidgetOutput is where the files for your own site are written.
type WidgetOutput struct {
	// configMap receives wink.json, which has the options of the widget, and index.html and wink.js, which show how to use it.
	// None of them contains a secret.
	// +required
	ConfigMap WidgetConfigMap `json:"configMap"`
}

// SmileWinkWidgetSpec declares how the Wink widget looks and behaves for an application.
// +kubebuilder:validation:XValidation:rule="self.connectionRef == oldSelf.connectionRef",message="connectionRef is immutable: create another SmileWinkWidget for the other connection"
type SmileWinkWidgetSpec struct {
	// connectionRef names the connection, whose mode decides which hosts the widget uses. Immutable.
	// +required
	ConnectionRef ConnectionReference `json:"connectionRef"`

	// templateID names a template that was created in the vendor's portal. Templates differ by mode.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	// +kubebuilder:validation:XValidation:rule="self.matches('^wtpl-[A-Za-z0-9_-]+$')",message="templateID must have the form wtpl-..., as the vendor's portal shows it"
	TemplateID string `json:"templateID,omitempty"`

	// sdkVersion of the vendor's script. Default: v2.
	// +optional
	SDKVersion SDKVersion `json:"sdkVersion,omitempty"`

	// options of the widget.
	// +optional
	Options *WidgetOptions `json:"options,omitempty"`

	// page is the page that the operator serves. Without it, links (smileusers/link) to this widget are refused.
	// +optional
	Page *WidgetPage `json:"page,omitempty"`

	// output is where files for your own site are written.
	// +optional
	Output *WidgetOutput `json:"output,omitempty"`

	// suspend stops reconciling, and the page: links to it are refused until it is false.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// SmileWinkWidgetStatus is the observed state of a SmileWinkWidget.
type SmileWinkWidgetStatus struct {
	CommonStatus `json:",inline"`

	// mode of the connection.
	// +optional
	Mode Mode `json:"mode,omitempty"`

	// scriptURL is where the widget's script is.
	// +optional
	// +kubebuilder:validation:MaxLength=400
	ScriptURL string `json:"scriptURL,omitempty"`

	// apiHost is the value of the widget's option apiHost.
	// +optional
	// +kubebuilder:validation:MaxLength=400
	APIHost string `json:"apiHost,omitempty"`

	// configMapName is the ConfigMap that was written.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ConfigMapName string `json:"configMapName,omitempty"`
}

// SmileWinkWidget is how the Wink widget looks and behaves for an application.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=smk,categories=smile
// +kubebuilder:selectablefield:JSONPath=`.spec.connectionRef.name`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Suspended",type=boolean,JSONPath=`.spec.suspend`
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.status.mode`
// +kubebuilder:printcolumn:name="Template",type=string,JSONPath=`.spec.templateID`
// +kubebuilder:printcolumn:name="Script",type=string,JSONPath=`.status.scriptURL`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Connection",type=string,priority=1,JSONPath=`.spec.connectionRef.name`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type SmileWinkWidget struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the desired state.
	// +required
	Spec SmileWinkWidgetSpec `json:"spec"`

	// status is the observed state.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status SmileWinkWidgetStatus `json:"status,omitempty"`
}

// SmileWinkWidgetList is a list of SmileWinkWidgets.
// +kubebuilder:object:root=true
type SmileWinkWidgetList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []SmileWinkWidget `json:"items"`
}

// CommonStatus returns the part of the status that all kinds share.
func (w *SmileWinkWidget) CommonStatus() *CommonStatus { return &w.Status.CommonStatus }

// Suspended reports whether reconciling is suspended by the spec.
func (w *SmileWinkWidget) Suspended() bool { return w.Spec.Suspend }
