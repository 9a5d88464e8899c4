// Package appapi is the application API: what a company's backends call at run time instead of holding the keys of Smile.
// It has the routes, the checks that every call passes, the errors and the OpenAPI document. It knows neither Kubernetes nor
// Smile: who calls is a Gate's answer, and what is done for them is that of People. So the operator and the sandbox serve the
// same API.
package appapi
