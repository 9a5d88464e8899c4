package quirks

import (
	"encoding/json"

	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// future is how Smile may respond one day. Its policy allows new fields in objects, new values in enumerations and new
// elements in lists, also in those that repeat a request. Values that decide about a state, such as the status of an
// account or of a finished task, do not change.
func future(object map[string]any) {
	extraField(object)
	unknownEnums(object)
	for _, change := range []shape{futureTask, futureAccount, futureSession, futureEchoes} {
		change(object)
	}
}

func extraField(object map[string]any) { object[AddedLaterField] = map[string]any{"value": 1} }

// replacing replaces values of a field.
func replacing(object map[string]any, field string, values ...string) {
	for _, value := range values {
		if object[field] == value {
			object[field] = addedLater
		}
	}
}

var futureTask = having("startedAt", "datapoints", func(task map[string]any) {
	replacing(task, "type", "LINK_ACCOUNT", "UPDATE_ACCOUNT", "ANALYZE_ARCHIVE", "CLASSIFY_ARCHIVE")
	replacing(task, "status", "Started")
})

var futureAccount = having("connection", "monitor", func(account map[string]any) {
	const ordinary = "UNSUPPORTED"
	replacing(account, "monitorStatus", ordinary)
	if monitor, ok := account["monitor"].(map[string]any); ok {
		replacing(monitor, "status", ordinary)
	}
})

var futureSession = having("channel", "channelId", func(session map[string]any) {
	replacing(session, "status", "IN_PROGRESS")
})

// futureEchoes adds an element to what repeats a request: the event types of webhooks, the metadata of users, the files of
// archives.
func futureEchoes(object map[string]any) {
	if events, ok := object["eventTypes"].([]any); ok {
		object["eventTypes"] = append(events, addedLater)
	}
	if pairs, ok := object["externalMetadata"].(map[string]any); ok {
		pairs[AddedLaterField] = addedLater
	}
	if files, ok := object["rawFiles"].([]any); ok {
		object["rawFiles"] = append(files, map[string]any{"id": "f-" + AddedLaterField, "name": addedLater})
	}
}

// SuccessCode is the code of a successful response: the documented one, or an
// unknown one with the quirk future.
func (b *Behavior) SuccessCode(documented string) string {
	if b.future == "on" {
		return addedLater
	}
	return documented
}

// FutureField is the value of an undocumented field, nil without the quirk future.
func (b *Behavior) FutureField() json.RawMessage {
	if b.future != "on" {
		return nil
	}
	return wire.Encode(map[string]any{"value": 1})
}
