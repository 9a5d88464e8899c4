package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// OutputReference names the object that the data is written to.
type OutputReference struct {
	// name of the object. It must not exist yet, or must have been created for this SmileAccountSync.
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

// OutputMetadata is the metadata of the objects of an output. Keys by which Argo CD, Flux, Helm and Kubernetes recognize their
// own objects are refused: an object with such a key could be pruned or adopted.
type OutputMetadata struct {
	// labels of the objects.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule=`self.all(k, size(k) <= 253 && k.matches(r'^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))`,message="keys must have the form name or domain/name, with a name of at most 63 characters"
	// +kubebuilder:validation:XValidation:rule=`self.all(k, !(k in ['app.kubernetes.io/instance', 'app.kubernetes.io/managed-by']) && (k.startsWith('app.kubernetes.io/') || !k.matches(r'^([a-z0-9.-]+\.)?(kubernetes\.io|k8s\.io|argoproj\.io|fluxcd\.io|helm\.sh|smile-operator\.io)/')))`,message="keys of kubernetes.io, k8s.io, argoproj.io, fluxcd.io, helm.sh and smile-operator.io are reserved, because they identify the owner of an object: use a domain of your own, or app.kubernetes.io/name"
	Labels map[string]LabelValue `json:"labels,omitempty"`

	// annotations of the objects. Only those of reloader.stakater.com, and those that the operator's flag
	// --allowed-output-annotations names, are written. Others are omitted, with a Warning event, because some annotations
	// cause tools to copy a Secret to other namespaces.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule=`self.all(k, size(k) <= 253 && k.matches(r'^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))`,message="keys must have the form name or domain/name, with a name of at most 63 characters"
	// +kubebuilder:validation:XValidation:rule=`self.all(k, !(k in ['app.kubernetes.io/instance', 'app.kubernetes.io/managed-by']) && (k.startsWith('app.kubernetes.io/') || !k.matches(r'^([a-z0-9.-]+\.)?(kubernetes\.io|k8s\.io|argoproj\.io|fluxcd\.io|helm\.sh|smile-operator\.io)/')))`,message="keys of kubernetes.io, k8s.io, argoproj.io, fluxcd.io, helm.sh and smile-operator.io are reserved, because they identify the owner of an object: use a domain of your own, or app.kubernetes.io/name"
	Annotations map[string]AnnotationValue `json:"annotations,omitempty"`
}

// OutputTemplate adds metadata to the objects of an output.
type OutputTemplate struct {
	// metadata of the objects.
	// +optional
	Metadata *OutputMetadata `json:"metadata,omitempty"`
}

// SyncOutput is where the data is written.
// +kubebuilder:validation:XValidation:rule="has(self.secret) != has(self.configMap)",message="output requires exactly one of secret and configMap"
type SyncOutput struct {
	// secret to write.
	// +optional
	Secret *OutputReference `json:"secret,omitempty"`

	// configMap to write. It requires fields or additional on every datapoint.
	// +optional
	ConfigMap *OutputReference `json:"configMap,omitempty"`

	// template of the objects that are written.
	// +optional
	Template *OutputTemplate `json:"template,omitempty"`
}

// DisconnectPolicy selects what happens to the data of an account that is disconnected.
// +kubebuilder:validation:Enum=Delete;Retain
type DisconnectPolicy string

// The disconnect policies.
const (
	// DisconnectDelete erases the data, because consent has ended.
	DisconnectDelete DisconnectPolicy = "Delete"
	// DisconnectRetain keeps the data until its ttl.
	DisconnectRetain DisconnectPolicy = "Retain"
)

// Retention limits how long data is kept.
// +kubebuilder:validation:XValidation:rule="!has(self.onDisconnect) || self.onDisconnect != 'Retain' || has(self.ttl)",message="retention.onDisconnect Retain requires retention.ttl: data must not be kept forever after consent was withdrawn"
type Retention struct {
	// onDisconnect selects what happens to the data of an account that is disconnected. Delete (the default) erases it. Retain
	// keeps it until its ttl.
	// +optional
	OnDisconnect DisconnectPolicy `json:"onDisconnect,omitempty"`

	// ttl is how long data is kept after it was fetched: 1h to 17520h. After that time the data is erased, and it is fetched again
	// only if Smile has newer data. Default: no limit.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1h') && duration(self) <= duration('17520h')",message="retention.ttl must be between 1h and 17520h"
	TTL *metav1.Duration `json:"ttl,omitempty"`
}
