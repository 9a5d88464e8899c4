package v1alpha1

// LocalSecretReference names a Secret in the namespace of the object.
type LocalSecretReference struct {
	// name of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Name string `json:"name"`
}

// SecretKeyReference names a key of a Secret in the namespace of the object.
type SecretKeyReference struct {
	// name of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Name string `json:"name"`

	// key of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	Key string `json:"key"`
}

// ConnectionKind is the kind of a connection reference.
// +kubebuilder:validation:Enum=SmileConnection
type ConnectionKind string

// ConnectionReference names the connection of an object.
type ConnectionReference struct {
	// kind of the connection. Default: SmileConnection.
	// +optional
	Kind ConnectionKind `json:"kind,omitempty"`

	// name of the connection, in the namespace of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Name string `json:"name"`
}

// Mode is one of Smile's two environments.
// +kubebuilder:validation:Enum=Sandbox;Production
type Mode string

// The modes.
const (
	ModeSandbox    Mode = "Sandbox"
	ModeProduction Mode = "Production"
)
