package user

import (
	corev1 "k8s.io/api/core/v1"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"
)

type client interface {
	Get(key string, object any) error
	Create(object any, options ...any) error
	Patch(object, patch any) error
	Delete(object any) error
}

type writer struct{}

func (writer) CreateOrUpdate(*corev1.Secret) {}

func use(c client, secrets typed.SecretInterface) {
	var secret corev1.Secret
	_ = c.Get("reading is free", &secret)
	_ = c.Create(&secret)                // want "this writes .k8s.io/api/core/v1.Secret"
	_ = c.Patch(&corev1.ConfigMap{}, "") // want "this writes .k8s.io/api/core/v1.ConfigMap"
	_ = c.Delete(&corev1.Secret{})       // want "only internal/output writes"
	_ = c.Create(&corev1.Event{}, "options")
	_ = secrets.Get("reading is free")
	_ = secrets.Delete("name")       // want "typed/core/v1.SecretInterface"
	writer{}.CreateOrUpdate(&secret) // want "only internal/output writes"
}
