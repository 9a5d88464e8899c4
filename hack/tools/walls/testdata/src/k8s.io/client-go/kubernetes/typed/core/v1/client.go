package v1

type SecretInterface interface {
	Get(name string) error
	Delete(name string) error
}
