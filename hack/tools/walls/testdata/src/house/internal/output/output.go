package output

import corev1 "k8s.io/api/core/v1"

type client interface{ Create(object any) error }

func write(c client) error { return c.Create(&corev1.Secret{}) }
