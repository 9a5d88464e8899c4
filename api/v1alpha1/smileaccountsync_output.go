package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// OutputReference names the object that the data is written to.
type OutputReference struct {
	// name of the object; it must not exist, or be this object's.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=240
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Name string `json:"name"`
}

// LabelValue is the value of a label.
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$`
type LabelValue string

// AnnotationValue is the value of an annotation.
// +kubebuilder:validation:MaxLength=1024
type AnnotationValue string

// OutputMetadata is what the objects of an output carry beside the data. Keys by which Argo CD, Flux, Helm and
// Kubernetes itself know what is theirs are refused: an object that carries them would be pruned or adopted.
type OutputMetadata struct {
	// labels of the objects.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule=`self.all(k, size(k) <= 253 && k.matches(r'^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))`,message="keys must read name or domain/name, with a name of at most 63 characters"
	// +kubebuilder:validation:XValidation:rule=`self.all(k, !(k in ['app.kubernetes.io/instance', 'app.kubernetes.io/managed-by']) && (k.startsWith('app.kubernetes.io/') || !k.matches(r'^([a-z0-9.-]+\.)?(kubernetes\.io|k8s\.io|argoproj\.io|fluxcd\.io|helm\.sh|smile-operator\.io)/')))`,message="keys of kubernetes.io, k8s.io, argoproj.io, fluxcd.io, helm.sh and smile-operator.io say whose an object is and cannot be set: use a domain of your own, or app.kubernetes.io/name and the like"
	Labels map[string]LabelValue `json:"labels,omitempty"`

	// annotations of the objects: those of reloader.stakater.com, and those that the operator's flag
	// --allowed-output-annotations names. Others are omitted, with a Warning event: some make tools copy a Secret to other
	// namespaces.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule=`self.all(k, size(k) <= 253 && k.matches(r'^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))`,message="keys must read name or domain/name, with a name of at most 63 characters"
	// +kubebuilder:validation:XValidation:rule=`self.all(k, !(k in ['app.kubernetes.io/instance', 'app.kubernetes.io/managed-by']) && (k.startsWith('app.kubernetes.io/') || !k.matches(r'^([a-z0-9.-]+\.)?(kubernetes\.io|k8s\.io|argoproj\.io|fluxcd\.io|helm\.sh|smile-operator\.io)/')))`,message="keys of kubernetes.io, k8s.io, argoproj.io, fluxcd.io, helm.sh and smile-operator.io say whose an object is and cannot be set: use a domain of your own, or app.kubernetes.io/name and the like"
	Annotations map[string]AnnotationValue `json:"annotations,omitempty"`
}

// OutputTemplate is what the objects of an output are made from.
type OutputTemplate struct {
	// metadata of the objects.
	// +optional
	Metadata *OutputMetadata `json:"metadata,omitempty"`
}

// SyncOutput says where the data goes.
// +kubebuilder:validation:XValidation:rule="has(self.secret) != has(self.configMap)",message="output needs exactly one of secret and configMap"
type SyncOutput struct {
	// secret to write.
	// +optional
	Secret *OutputReference `json:"secret,omitempty"`

	// configMap to write; every datapoint must name its fields then.
	// +optional
	ConfigMap *OutputReference `json:"configMap,omitempty"`

	// template of the objects that are written.
	// +optional
	Template *OutputTemplate `json:"template,omitempty"`
}

// DisconnectPolicy says what becomes of data when the account that it is of is disconnected.
// +kubebuilder:validation:Enum=Delete;Retain
type DisconnectPolicy string

// The disconnect policies.
const (
	// DisconnectDelete erases the data: it goes when consent goes.
	DisconnectDelete DisconnectPolicy = "Delete"
	// DisconnectRetain keeps the data until its ttl.
	DisconnectRetain DisconnectPolicy = "Retain"
)

// Retention says how long data is kept.
// +kubebuilder:validation:XValidation:rule="!has(self.onDisconnect) || self.onDisconnect != 'Retain' || has(self.ttl)",message="retention.onDisconnect Retain needs retention.ttl: data of a person who has withdrawn must end some day"
type Retention struct {
	// onDisconnect is Delete (the default): data is erased when its account is disconnected; or Retain: it stays
	// until its ttl.
	// +optional
	OnDisconnect DisconnectPolicy `json:"onDisconnect,omitempty"`

	// ttl erases data that long after it was fetched, 1h to 17520h; it comes back only when Smile has newer data.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1h') && duration(self) <= duration('17520h')",message="retention.ttl must lie between 1h and 17520h"
	TTL *metav1.Duration `json:"ttl,omitempty"`
}
