package appapi

import (
	"fmt"
	"net/http"
	"sync"
)

// Document is the OpenAPI document of the API.
var Document = sync.OnceValue(func() []byte { return encode(openAPI()) })

// serveDocument returns the OpenAPI document, to everybody: it is the same for all.
func (h *handler) serveDocument(w http.ResponseWriter, _ *http.Request) {
	began := h.Now()
	write(w, &Answer{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: Document()})
	h.Observe("", Succeeded, h.Now().Sub(began))
}

type object = map[string]any

func openAPI() object {
	paths := object{}
	for _, operation := range Operations {
		paths[operation.Pattern] = object{"post": operation.document()}
	}
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title": "smile-operator application API", "version": "v1",
			"description": "Backends call this API at run time instead of holding the API keys of Smile. " +
				"The operator serves it in a cluster, and smile-sandbox serves it for development.",
			"license": object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		"servers":  []any{object{"url": "/"}},
		"security": []any{object{"bearer": []any{}}},
		"paths":    paths,
		"components": object{
			"securitySchemes": object{"bearer": object{
				"type": "http", "scheme": "bearer", "bearerFormat": "JWT",
				"description": "A ServiceAccount token for the audience of the API.",
			}},
			"parameters": object{
				"namespace": parameter(
					"namespace",
					"path",
					"Namespace of the object.",
					object{"type": "string", "maxLength": maxNamespace, "pattern": namespaceForm.String()},
				),
				"name": parameter(
					"name",
					"path",
					"Name of the object.",
					object{"type": "string", "maxLength": maxName, "pattern": nameForm.String()},
				),
				"consentRef": parameter(
					HeaderConsentRef,
					"header",
					"The consent that the caller relies on. It is copied to the audit log.",
					note(),
				),
				"widget": parameter(
					"widget",
					"query",
					"A SmileWinkWidget of the namespace, whose templateId and options are added to the response.",
					object{"type": "string", "maxLength": maxName, "pattern": nameForm.String()},
				),
				"purpose": parameter(
					HeaderPurpose,
					"header",
					"What the caller needs the response for. It is copied to the audit log.",
					note(),
				),
			},
			"schemas": object{
				"Link": linkSchema(), "LinkRequest": linkRequestSchema(), "LinkToken": linkTokenSchema(), "Problem": problemSchema(),
			},
		},
	}
}

func note() object {
	return object{"type": "string", "maxLength": maxNote, "pattern": noteForm.String()}
}

func parameter(name, in, description string, schema object) object {
	return object{"name": name, "in": in, "description": description, "required": in == "path", "schema": schema}
}

func reference(kind, name string) object { return object{"$ref": "#/components/" + kind + "/" + name} }

func (o *Operation) document() object {
	responses := object{"201": object{
		"description": o.meaning,
		"content":     object{"application/json": object{"schema": reference("schemas", o.result)}},
	}}
	for _, reason := range o.Problems() {
		status := fmt.Sprint(reason.Status())
		line := fmt.Sprintf("`%s`: %s.", reason, catalog[reason].title)
		if held, ok := responses[status].(object); ok {
			held["description"] = fmt.Sprint(held["description"], " ", line)
			continue
		}
		responses[status] = object{
			"description": line,
			"content":     object{ProblemType: object{"schema": reference("schemas", "Problem")}},
		}
	}
	parameters := []any{
		reference("parameters", "namespace"), reference("parameters", "name"),
		reference("parameters", "consentRef"), reference("parameters", "purpose"),
	}
	if o.widgetQuery {
		parameters = append(parameters, reference("parameters", "widget"))
	}
	described := object{
		"operationId": o.Name, "summary": o.Summary,
		"description": fmt.Sprintf("The caller needs the right to %s `%s/%s` in the namespace.", o.Verb, o.Resource, o.Subresource),
		"parameters":  parameters,
		"responses":   responses,
		"x-problems":  o.problemTable(),
	}
	if o.body != nil {
		described["requestBody"] = object{
			"required": true, "content": object{"application/json": object{"schema": reference("schemas", o.result+"Request")}},
		}
	}
	return described
}

// problemTable is the operation's part of the catalog, for programs.
func (o *Operation) problemTable() []any {
	var table []any
	for _, reason := range o.Problems() {
		held := catalog[reason]
		table = append(table, object{
			"reason": string(reason), "status": held.status, "retry": string(held.retry), "mayHaveHadEffect": held.effect,
		})
	}
	return table
}

func linkSchema() object {
	return object{
		"type":     "object",
		"required": []any{"url", "expiresAt"},
		"properties": object{
			"url": object{
				"type": "string", "format": "uri",
				"description": "The link. It opens the page once, in one browser: give it to the user only.",
			},
			"expiresAt": object{"type": "string", "format": "date-time", "description": "Until when the link can be opened."},
		},
	}
}

func linkRequestSchema() object {
	return object{
		"type":                 "object",
		"required":             []any{"widget"},
		"additionalProperties": false,
		"properties": object{
			"widget": object{
				"type": "string", "maxLength": maxName, "pattern": nameForm.String(),
				"description": "A SmileWinkWidget of the namespace that has a page.",
			},
			"expiresIn": object{
				"type": "string", "default": "10m",
				"description": "How long the link can be opened: 1m to 24h, as in 90s or 1h30m.",
			},
		},
	}
}

func linkTokenSchema() object {
	text := func(description string) object { return object{"type": "string", "description": description} }
	return object{
		"type":     "object",
		"required": []any{"accessToken", "expiresAt", "mode", "userId", "apiHost", "scriptUrl"},
		"properties": object{
			"accessToken": text("The token: the value of the widget's option userToken."),
			"expiresAt":   object{"type": "string", "format": "date-time", "description": "When Smile will refuse the token."},
			"mode":        object{"type": "string", "enum": []any{"SANDBOX", "PRODUCTION"}},
			"userId":      text("The user's id at Smile."),
			"apiHost":     text("The value of the widget's option apiHost."),
			"scriptUrl":   text("Where the widget's script is."),
			"templateId":  text("The value of the widget's option templateId, from the SmileWinkWidget that the query names."),
			"options":     object{"type": "object", "description": "Further options of the widget, from the same SmileWinkWidget."},
		},
	}
}

func problemSchema() object {
	reasons := []any{}
	for _, reason := range allReasons() {
		reasons = append(reasons, string(reason))
	}
	text := func(description string) object { return object{"type": "string", "description": description} }
	return object{
		"type":        "object",
		"description": "A problem document (RFC 9457). Later versions may add reasons: treat an unknown one according to its status.",
		"required":    []any{"type", "title", "status", "detail", "reason", "callId"},
		"properties": object{
			"type":    text("A URI that ends in the reason."),
			"title":   text("The problem, for people."),
			"status":  object{"type": "integer"},
			"detail":  text("What to do about it, for people."),
			"reason":  object{"type": "string", "examples": reasons},
			"cause":   text("The reason of the condition behind the problem, such as ConnectionNotReady."),
			"field":   text("The field of the body, or the parameter, that is missing or out of its bounds."),
			"retryAt": object{"type": "string", "format": "date-time", "description": "From when on the same call may succeed."},
			"callId":  text("The id of the call, which is also in the audit log."),
		},
	}
}
