package validate

import "testing"

func FuzzUserMetadata(f *testing.F) {
	for _, seed := range []string{"", "{}", "[]", `{"externalMetadata":{"0":"v","1":"v","2":"v","3":"v","4":"v","5":"v"}}`, `{"externalMetadata":{"k":"v"}}`, `{"externalMetadata":null}`, `{"externalMetadata":{"k":"é"}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		metadata, wrong := UserMetadata(body)
		if wrong != nil {
			if wrong.Field == "" || wrong.Text == "" || metadata != nil {
				t.Errorf("refused without a reason: %+v %v", wrong, metadata)
			}
			return
		}
		if len(metadata) > maxMetadataPairs {
			t.Errorf("%d pairs accepted", len(metadata))
		}
		for key, value := range metadata {
			if len(key) > maxMetadataKey || len(value) > maxMetadataValue || !isASCII(key+value) {
				t.Errorf("%q: %q accepted", key, value)
			}
		}
	})
}
