package v1

type (
	Secret    struct{ Name string }
	ConfigMap struct{ Name string }
	Event     struct{ Name string }
)
