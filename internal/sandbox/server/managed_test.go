package server

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

const (
	consentBody  = `{"consentType":"credit","version":"1","consentText":"I agree.","title":"Consent","consentMethod":"checkbox"}`
	templateBody = `{"name":"v1","company":{"name":"XYZ","logoUrl":"https://xyz.example/l.png"},` +
		`"email":{"sendEmail":true,"senderName":"XYZ","replyAddress":"hi@xyz.example","subject":"For ${firstName}","body":"${companyName} asks ${fullName}."},` +
		`"landingPage":{"header":"h","description":"d","button":"b"},"successPage":{"header":"h","description":"d","button":"b"}}`
)

// replaced is a JSON object with the value at a path replaced, or removed if
// the value is empty.
func replaced(t *testing.T, object, path, value string) string {
	t.Helper()
	name, rest, nested := strings.Cut(path, ".")
	fields := decode[map[string]json.RawMessage](t, []byte(object))
	switch {
	case nested:
		fields[name] = json.RawMessage(replaced(t, string(fields[name]), rest, value))
	case value == "":
		delete(fields, name)
	default:
		fields[name] = json.RawMessage(value)
	}
	return string(wire.Encode(fields))
}

// TestManagedLimits tries every documented limit of what tenants set up, and
// one beyond it.
func TestManagedLimits(t *testing.T) {
	b := newBox(t, Options{})
	templateID := idOf(t, b.call("POST", "/v1/inviteTemplates", templateBody).must(t, 201))
	inviteBody := `{"fullName":"Ryan Ng","email":"ryan1234@smileapi.io","templateId":"` + templateID + `","firstName":"Ryan","lastName":"Ng","winkTemplateId":"wtpl-1"}`
	for _, test := range []struct {
		path, body, field string
		longest           int // characters
		required          bool
		start             string
	}{
		{"consentTemplates", consentBody, "consentType", 200, true, ""},
		{"consentTemplates", consentBody, "version", 64, true, ""},
		{"consentTemplates", consentBody, "consentText", 65535, true, ""},
		{"consentTemplates", consentBody, "title", 200, false, ""},
		{"consentTemplates", consentBody, "consentMethod", 200, false, ""},
		{"inviteTemplates", templateBody, "name", 64, true, ""},
		{"inviteTemplates", templateBody, "company.name", 200, true, ""},
		{"inviteTemplates", templateBody, "company.logoUrl", 200, true, ""},
		{"inviteTemplates", templateBody, "email.senderName", 200, true, ""},
		{"inviteTemplates", templateBody, "email.replyAddress", 200, true, "a@"},
		{"inviteTemplates", templateBody, "email.subject", 200, true, ""},
		{"inviteTemplates", templateBody, "email.body", 5000, true, ""},
		{"inviteTemplates", templateBody, "landingPage.header", 200, true, ""},
		{"inviteTemplates", templateBody, "landingPage.description", 5000, true, ""},
		{"inviteTemplates", templateBody, "successPage.button", 200, true, ""},
		{"invites", inviteBody, "fullName", 200, true, ""},
		{"invites", inviteBody, "email", 200, true, "a@"},
		{"invites", inviteBody, "firstName", 64, false, ""},
		{"invites", inviteBody, "lastName", 64, false, ""},
		{"invites", inviteBody, "winkTemplateId", 64, false, ""},
	} {
		t.Run(test.path+" "+test.field, func(t *testing.T) {
			try := func(value string, status int) {
				t.Helper()
				got := b.call("POST", "/v1/"+test.path, replaced(t, test.body, test.field, value)).must(t, status)
				if status == 400 && (got.Code != "INVALID_PARAMETERS" || !strings.HasPrefix(got.Message, test.field+" ")) {
					t.Errorf("got %s", got.text)
				}
			}
			try(quoted(test.longest, test.start), 201)
			try(quoted(test.longest+1, test.start), 400)
			try("7", 400)
			if test.required {
				try("", 400)
				try("null", 400)
				try(`""`, 400)
			} else {
				try("", 201)
				try("null", 201)
			}
		})
	}
}

func idOf(t *testing.T, a answer) string {
	t.Helper()
	return decode[struct{ ID string }](t, a.Data).ID
}

func TestConsentTemplates(t *testing.T) {
	b := newBox(t, Options{})
	made := b.call("POST", "/v1/consentTemplates", consentBody).must(t, 201)
	want := decode[map[string]any](t, []byte(consentBody))
	want["id"], want["createdAt"] = idOf(t, made), "2026-03-31T22:30:00Z"
	if diff := gocmp.Diff(want, decode[map[string]any](t, made.Data)); diff != "" {
		t.Error(diff)
	}
	if got := b.list("/v1/consentTemplates").Items; len(got) != 1 || string(got[0]) != string(made.Data) {
		t.Errorf("listed: %s", got)
	}
	b.get("/v1/consentTemplates/"+idOf(t, made)).must(t, 501)
	b.call("DELETE", "/v1/consentTemplates/"+idOf(t, made), "").must(t, 200)
	b.call("DELETE", "/v1/consentTemplates/"+idOf(t, made), "").must(t, 404)
	if got := b.list("/v1/consentTemplates").Items; len(got) != 0 {
		t.Errorf("still listed: %s", got)
	}
}

func TestInviteTemplates(t *testing.T) {
	b := newBox(t, Options{})
	made := b.call("POST", "/v1/inviteTemplates", templateBody).must(t, 201)
	path := "/v1/inviteTemplates/" + idOf(t, made)
	if !strings.HasPrefix(idOf(t, made), "tpl-") || string(b.get(path).must(t, 200).Data) != string(made.Data) {
		t.Errorf("made %s", made.text)
	}
	changed := b.call("PUT", path, replaced(t, templateBody, "name", `"v2"`)).must(t, 200)
	if idOf(t, changed) != idOf(t, made) || !strings.Contains(changed.text, `"v2"`) || string(b.get(path).Data) != string(changed.Data) {
		t.Errorf("changed to %s", changed.text)
	}
	b.call("PUT", path, replaced(t, templateBody, "successPage", "")).must(t, 400)
	b.call("PUT", path, templateBody, without("Content-Type")).must(t, 415)
	b.call("PUT", "/v1/inviteTemplates/tpl-0", templateBody).must(t, 404)
	for field, value := range map[string]string{"email.sendEmail": "false", "email.body": `"<b>bold</b>"`, "email.replyAddress": `"Somebody <a@b.c>"`} {
		if got := b.call("POST", "/v1/inviteTemplates", replaced(t, templateBody, field, value)).must(t, 400); !strings.HasPrefix(got.Message, field) {
			t.Errorf("got %s", got.text)
		}
	}
	b.call("DELETE", path, "").must(t, 200)
	b.get(path).must(t, 404)
	b.call("PUT", path, templateBody).must(t, 404)
}

// TestInvite: an invited person gets from the mail to a linked account.
func TestInvite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m := hooked(t, Options{}, edited("eventTypes", `["INVITE_INVITED","INVITE_LINKED","USER_CREATED"]`))
		templateID := idOf(t, b.call("POST", "/v1/inviteTemplates", templateBody))
		body := `{"fullName":"Ryan Ng","email":"ryan1234@smileapi.io","templateId":"` + templateID + `"}`
		made := decode[Invite](t, b.call("POST", "/v1/invites", body).must(t, 201).Data)
		if made.Status != Invited || made.LinkedAt != nil || !strings.HasPrefix(made.ID, "iv-") {
			t.Errorf("%+v", made)
		}
		b.get("/v1/users/"+made.UserID).must(t, 200)
		mail := b.Mails()[0]
		if mail.To != "ryan1234@smileapi.io" || mail.Subject != "For Ryan Ng" || mail.Body != "XYZ asks Ryan Ng." || mail.Link != made.LandingPageURL {
			t.Errorf("%+v", mail)
		}
		for _, status := range []string{"EMAIL_OPENED", "LANDING_PAGE_OPENED", "WINK_WIDGET_OPENED"} {
			b.call("POST", "/_sandbox/invites/"+made.ID, `{"status":"`+status+`"}`).must(t, 200)
		}
		account := b.george(made.UserID, "sss_ph")
		linked := decode[Invite](t, b.get("/v1/invites/"+made.ID).must(t, 200).Data)
		if linked.Status != Linked || linked.LinkedAt == nil {
			t.Errorf("%+v", linked)
		}
		_, _ = b.Disconnect(account.ID)
		var log []string
		for _, entry := range b.list("/v1/invites/" + made.ID + "/logs").Items {
			log = append(log, decode[struct{ InviteStatus string }](t, entry).InviteStatus)
		}
		want := []string{"INVITED", "EMAIL_OPENED", "LANDING_PAGE_OPENED", "WINK_WIDGET_OPENED", "LINKED", "REVOKED"}
		if diff := gocmp.Diff(want, log); diff != "" {
			t.Error(diff)
		}
		b.get("/v1/invites/iv-0/logs").must(t, 404)
		synctest.Wait()
		if diff := gocmp.Diff([]string{"USER_CREATED", "INVITE_INVITED", "INVITE_LINKED"}, m.types()); diff != "" {
			t.Error(diff)
		}
		_ = b.Advance(inviteLife)
		b.call("POST", "/_sandbox/invites/"+made.ID, `{"status":"EMAIL_OPENED"}`).must(t, 400)
		b.call("POST", "/_sandbox/invites/iv-0", `{"status":"EMAIL_OPENED"}`).must(t, 404)
		b.call("POST", "/_sandbox/invites/"+made.ID, `{"status":"SHREDDED"}`).must(t, 400)
		b.call("POST", "/v1/invites", strings.Replace(body, "tpl-", "x-", 1)).must(t, 400)
	})
}

func archiveBody(userID, content string) string {
	return `{"userId":"` + userID + `","fileType":"PAYSLIP","rawFiles":[{"fileContent":"` + content +
		`","fileExtensionType":"PDF","fileSubtype":"PAYSLIP","fileName":"june.pdf"}]}`
}

var (
	sampleFile = base64.StdEncoding.EncodeToString(fixtures.SamplePayslip())
	otherFile  = base64.StdEncoding.EncodeToString([]byte("%PDF-1.4 something else"))
)

func TestArchives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m := hooked(t, Options{DataDelay: time.Minute}, anyHook)
		userID := b.newUser()
		read := decode[archiveWire](t, b.call("POST", "/v1/archives", archiveBody(userID, sampleFile)).must(t, 200).Data)
		if read.State.Status != "STARTED" || read.UserID != userID || read.RawFiles[0].Size != 1 || read.RawFiles[0].Name != "june.pdf" {
			t.Errorf("%+v", read)
		}
		strange := decode[archiveWire](t, b.call("POST", "/v1/archives", replaced(t, archiveBody("", otherFile), "userId", "null")).must(t, 200).Data)
		if strange.UserID == userID || b.Stats().Users != 2 {
			t.Errorf("no new user: %+v", strange)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		got := decode[archiveWire](t, b.get("/v1/archives/"+read.ID).must(t, 200).Data)
		if got.State.Status != "ANALYZED" || got.Classification.FileType != "PAYSLIP" || *got.Extraction.Analysis.EmployerName != "ABC Corporation" {
			t.Errorf("%+v", got)
		}
		wrong := decode[archiveWire](t, b.get("/v1/archives/"+strange.ID).must(t, 200).Data)
		if wrong.State.Status != "ERROR" || *wrong.State.ErrorCode != "SYSTEM_ERROR" || wrong.Extraction != nil {
			t.Errorf("%+v", wrong)
		}
		if got := decode[map[string]any](t, b.get("/v1/uploads/"+read.ID).must(t, 200).Data); got["type"] != "PAYSLIP" || got["analysis"] != nil {
			t.Errorf("upload %v", got)
		}
		if got := b.list("/v1/uploads?userId=" + userID).Items; len(got) != 1 {
			t.Errorf("uploads %s", got)
		}
		payload := b.get("/v1/users/"+userID+"/payload").must(t, 200).text
		if !strings.Contains(payload, `"archives":[{"id":"`+read.ID+`"`) {
			t.Errorf("payload %s", payload)
		}
		b.call("DELETE", "/v1/archives/"+read.ID, "").must(t, 200)
		b.call("DELETE", "/v1/archives/"+read.ID, "").must(t, 404)
		synctest.Wait()
		var kinds []string
		for _, kind := range m.types() {
			if strings.HasPrefix(kind, "ARCHIVE_") || strings.HasPrefix(kind, "TASK_") {
				kinds = append(kinds, kind)
			}
		}
		want := []string{
			"ARCHIVE_STARTED", "TASK_STARTED", "ARCHIVE_STARTED", "TASK_STARTED",
			"ARCHIVE_ANALYZED", "TASK_FINISHED", "ARCHIVE_FAILED", "TASK_FINISHED", "ARCHIVE_REVOKED",
		}
		if diff := gocmp.Diff(want, kinds); diff != "" {
			t.Error(diff)
		}
		task := decode[taskWire](t, b.list("/v1/tasks?sourceId=" + read.ID).Items[0])
		if task.Type != "ANALYZE_ARCHIVE" || task.Metadata.SourceType != "ARCHIVE" || task.Metadata.ProviderID != "tenant-provided" {
			t.Errorf("%+v", task)
		}
	})
}

func TestClassify(t *testing.T) {
	b := newBox(t, Options{})
	made := b.call("POST", "/v1/archives/classify", replaced(t, archiveBody(b.newUser(), sampleFile), "fileType", "")).must(t, 200)
	got := decode[archiveWire](t, b.get("/v1/archives/"+idOf(t, made)).Data)
	if got.Type == nil || *got.Type != "PAYSLIP" || got.Classification == nil {
		t.Errorf("%+v", got)
	}
	if task := decode[taskWire](t, b.list("/v1/tasks").Items[0]); task.Type != "CLASSIFY_ARCHIVE" {
		t.Errorf("%+v", task)
	}
}

func TestPayslips(t *testing.T) {
	b := newBox(t, Options{})
	userID := b.newUser()
	made := b.call("POST", "/v1/archives/-/payslips/uploadRawFile", `{"userId":"`+userID+`","fileExtensionType":"PDF","fileContent":"`+sampleFile+`"}`).must(t, 200)
	predicted := b.get("/v1/archives/-/payslips/queryPrediction?archiveId="+idOf(t, made)).must(t, 200)
	for _, literal := range []string{`"netAmount":7820.25`, `"employeeNameAndSsNumberMatchScore":100`, `"sourceType":"ARCHIVE"`} {
		if !strings.Contains(predicted.text, literal) {
			t.Errorf("%s lacks %s", predicted.text, literal)
		}
	}
	manual := func(fields string, status int) answer {
		t.Helper()
		return b.call("POST", "/v1/archives/-/payslips/sendManualResult", `{"archiveId":"`+idOf(t, made)+`",`+fields+`}`).must(t, status)
	}
	manual(`"validFile":true,"checkedFields":["netAmount"],"data":{"netAmount":7000,"payDate":"2022-07-01"}`, 200)
	if got := b.list("/v1/archives/-/payslips/listPredictions").Items; len(got) != 1 || !strings.Contains(string(got[0]), `"netAmount":7000,`) {
		t.Errorf("predictions %s", got)
	}
	for fields, field := range map[string]string{
		`"data":{}`: "validFile", `"validFile":true,"data":{"netAmount":"1"}`: "data.netAmount",
		`"validFile":true,"data":{"payDate":"soon"}`: "data.payDate", `"validFile":true,"checkedFields":"all"`: "checkedFields",
	} {
		if got := manual(fields, 400); !strings.HasPrefix(got.Message, field+" ") {
			t.Errorf("got %s", got.text)
		}
	}
	manual(`"validFile":false`, 200)
	b.get("/v1/archives/-/payslips/queryPrediction?archiveId="+idOf(t, made)).must(t, 404)
	b.get("/v1/archives/-/payslips/queryPrediction").must(t, 400)
	if got := b.list("/v1/archives/-/payslips/listPredictions").Items; len(got) != 0 {
		t.Errorf("predictions %s", got)
	}
}

func TestArchiveLimits(t *testing.T) {
	b := newBox(t, Options{})
	userID := b.newUser()
	zeros := func(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for name, test := range map[string]struct {
		body, names string
		status      int
	}{
		"file twice":     {strings.Replace(archiveBody(userID, otherFile), `"fileName"`, `"fileContent":"","fileName"`, 1), "rawFiles[0]", 400},
		"15 MiB":         {archiveBody(userID, zeros(maxFile)), "", 200},
		"15 MiB and 1":   {archiveBody(userID, zeros(maxFile+1)), "rawFiles[0].fileContent", 400},
		"no base64":      {archiveBody(userID, "!"), "rawFiles[0].fileContent", 400},
		"empty file":     {archiveBody(userID, ""), "rawFiles[0].fileContent", 400},
		"no files":       {replaced(t, archiveBody(userID, otherFile), "rawFiles", "[]"), "rawFiles", 400},
		"files missing":  {replaced(t, archiveBody(userID, otherFile), "rawFiles", ""), "rawFiles", 400},
		"other format":   {strings.Replace(archiveBody(userID, otherFile), "PDF", "TIFF", 1), "rawFiles[0].fileExtensionType", 400},
		"other subtype":  {strings.Replace(archiveBody(userID, otherFile), `Subtype":"PAYSLIP`, `Subtype":"SELFIE`, 1), "rawFiles[0].fileSubtype", 400},
		"other type":     {replaced(t, archiveBody(userID, otherFile), "fileType", `"SELFIE"`), "fileType", 400},
		"type unsaid":    {replaced(t, archiveBody(userID, otherFile), "fileType", "null"), "", 200},
		"somebody":       {archiveBody("tenant-0", otherFile), "", 404},
		"64 MiB of body": {strings.Repeat(" ", maxArchiveBody+1), "body", 400},
	} {
		t.Run(name, func(t *testing.T) {
			got := b.call("POST", "/v1/archives", test.body).must(t, test.status)
			if test.status == 400 && !strings.HasPrefix(got.Message, test.names+" ") {
				t.Errorf("got %s", got.text)
			}
		})
	}
}

func TestFileTypes(t *testing.T) {
	b := newBox(t, Options{})
	if got := b.list("/v1/fileTypes?size=150").Items; len(got) != len(fixtures.FileTypes) {
		t.Errorf("%d types", len(got))
	}
	if got := b.list("/v1/fileTypes?ocr=true&type=PAYSLIP&active=true&enabled=true").Items; len(got) != 1 {
		t.Errorf("got %s", got)
	}
	b.get("/v1/fileTypes?ocr=perhaps").must(t, 400)
}

func TestSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m := hooked(t, Options{}, edited("eventTypes", `["USER_SESSION_COMPLETED","USER_SESSION_RESET"]`))
		userID := b.newUser()
		b.george(userID, "sss_ph")
		b.call("POST", "/_sandbox/users/"+userID+"/complete", "").must(t, 200)
		b.call("POST", "/_sandbox/users/"+userID+"/complete", "").must(t, 200)
		b.call("POST", "/_sandbox/users/tenant-0/complete", "").must(t, 404)
		payload := decode[map[string]any](t, b.get("/v1/users/"+userID+"/payload").must(t, 200).Data)
		account := payload["accounts"].([]any)[0].(map[string]any)
		if payload["metadata"].(map[string]any)["status"] != "COMPLETED" || account["providerId"] != "sss_ph" {
			t.Errorf("%v", payload)
		}
		time.Sleep(time.Second)
		b.call("POST", "/v1/users/"+userID+"/resetSession", "").must(t, 200)
		payload = decode[map[string]any](t, b.get("/v1/users/"+userID+"/payload").must(t, 200).Data)
		if payload["metadata"].(map[string]any)["status"] != "IN_PROGRESS" || len(payload["accounts"].([]any)) != 0 {
			t.Errorf("after the reset %v", payload)
		}
		b.call("POST", "/v1/users/tenant-0/resetSession", "").must(t, 404)
		b.get("/v1/users/tenant-0/payload").must(t, 404)
		synctest.Wait()
		if diff := gocmp.Diff([]string{"USER_SESSION_COMPLETED", "USER_SESSION_RESET"}, m.types()); diff != "" {
			t.Fatal(diff)
		}
		if told := m.all()[0].data["payload"].(map[string]any); len(told["accounts"].([]any)) != 1 {
			t.Errorf("told %v", told)
		}
	})
}

func TestExports(t *testing.T) {
	b := newBox(t, Options{})
	account := b.george(b.newUser(), "sss_ph")
	path := "/v1/accounts/" + account.ID + "/exports/generate"
	var urls []string
	for kind, start := range map[string]string{"CSV": "datapoint,item\nIDENTITIES,", "PDF": "%PDF-1.4\n"} {
		made := decode[exportWire](t, b.call("POST", path, `{"exportExtensionType":"`+kind+`"}`).must(t, 200).Data)
		_, local, _ := strings.Cut(made.DownloadURL, "http://127.0.0.1")
		if file := b.get(local).must(t, 200).text; !strings.HasPrefix(file, start) || !strings.Contains(file, "George Cimafranca") || len(made.MD5) != 32 {
			t.Errorf("%+v: %s", made, file)
		}
		urls = append(urls, local)
	}
	b.call("POST", path, `{"exportExtensionType":"XLS"}`).must(t, 400)
	b.call("POST", path, ``).must(t, 400)
	b.call("DELETE", "/v1/accounts/"+account.ID, "").must(t, 200)
	b.get(urls[0]).must(t, http.StatusNotFound)
	b.call("POST", path, `{"exportExtensionType":"CSV"}`).must(t, 404)
}

func TestDisableMonitor(t *testing.T) {
	b := newBox(t, Options{})
	monitored, plain := b.george(b.newUser(), "sss_ph"), b.george(b.newUser(), "cdecorp")
	for id, want := range map[string]MonitorStatus{monitored.ID: MonitorCustomerDisabled, plain.ID: MonitorUnsupported} {
		b.call("POST", "/v1/accounts/"+id+"/disableMonitor", "").must(t, 200)
		if got := decode[Account](t, b.get("/v1/accounts/"+id).Data); got.MonitorStatus != want || got.Monitor.Status != want {
			t.Errorf("%+v", got)
		}
	}
	b.call("POST", "/v1/accounts/a-0/disableMonitor", "").must(t, 404)
	_ = b.Advance(35 * 24 * time.Hour)
	if got := len(b.list("/v1/tasks?sourceId=" + monitored.ID).Items); got != 1 {
		t.Errorf("%d tasks of an account that is not monitored", got)
	}
}
