package sandbox

import (
	"encoding/json"
	"net/http"

	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// future is how Smile may answer one day: its policy lets it add fields to objects, values to enumerations, and elements
// to lists, also to those that repeat what a request asked for. What decides how things stand, such as the status of an
// account or of a task that has finished, stays as it is.
func future(object map[string]any) {
	extraField(object)
	unknownEnums(object)
	for _, change := range []shape{futureTask, futureAccount, futureSession, futureEchoes} {
		change(object)
	}
}

func extraField(object map[string]any) { object[addedLaterField] = map[string]any{"value": 1} }

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

// futureEchoes adds to what repeats a request: the event types of webhooks, the metadata of users, the files of archives.
func futureEchoes(object map[string]any) {
	if events, ok := object["eventTypes"].([]any); ok {
		object["eventTypes"] = append(events, addedLater)
	}
	if pairs, ok := object["externalMetadata"].(map[string]any); ok {
		pairs[addedLaterField] = addedLater
	}
	if files, ok := object["rawFiles"].([]any); ok {
		object["rawFiles"] = append(files, map[string]any{"id": "f-" + addedLaterField, "name": addedLater})
	}
}

// futureEnvelope is what is around the data: a field more, and a word for success that nobody knows.
func (b *behaviour) futureEnvelope(sent *envelope, status int) {
	sent.AddedLater = b.futureField()
	if b.future == "on" && status < http.StatusBadRequest {
		sent.Code = addedLater
	}
}

func (b *behaviour) futureField() json.RawMessage {
	if b.future != "on" {
		return nil
	}
	return wire.Encode(map[string]any{"value": 1})
}
