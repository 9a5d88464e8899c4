package appapi

// AllReasons are the reasons of the catalog.
var AllReasons = allReasons
