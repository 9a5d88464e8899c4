package controlplane

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"

	"k8s.io/client-go/util/keyutil"
)

// SignToken signs the claims of a service account's token with the key of the control plane: a token as the API server would
// issue it, whatever its claims.
func (cp *ControlPlane) SignToken(claims map[string]any) (string, error) {
	pem, err := os.ReadFile(cp.keys.file(tokenKeyFile))
	if err != nil {
		return "", err
	}
	parsed, err := keyutil.ParsePrivateKeyPEM(pem)
	if err != nil {
		return "", err
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return "", errors.New("the key of the tokens is of another kind")
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"ES256"}`)) + "." + encode(body)
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		return "", err
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + encode(signature), nil
}
