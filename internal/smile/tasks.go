package smile

import (
	"context"
	"iter"
	"net/url"
	"time"
)

// TaskType is what a task does. The set is open.
type TaskType string

// The task types that are documented.
const (
	TaskLinkAccount     TaskType = "LINK_ACCOUNT"
	TaskAnalyzeArchive  TaskType = "ANALYZE_ARCHIVE"
	TaskClassifyArchive TaskType = "CLASSIFY_ARCHIVE"
	TaskUpdateAccount   TaskType = "UPDATE_ACCOUNT"
)

// TaskStatus is how far a task is. It does not show whether the task succeeded; the
// account's connection does. The set is open.
type TaskStatus string

// The task statuses that are documented.
const (
	TaskStarted  TaskStatus = "Started"
	TaskFinished TaskStatus = "Finished"
)

// Task is a piece of work on an account or archive.
type Task struct {
	ID        string
	Type      TaskType
	Status    TaskStatus
	StartedAt time.Time
	// FinishedAt is nil while the task runs.
	FinishedAt *time.Time
	// Datapoints are those that it has saved; empty while it runs.
	Datapoints []Datapoint
	Source     Source
}

// Finished reports whether the task has finished. If it has a time of completion, it has, even if its status is unknown.
func (t Task) Finished() bool { return t.FinishedAt != nil && t.Status != TaskStarted }

type taskWire struct {
	ID         string     `json:"id"`
	Type       enum       `json:"type"`
	Status     enum       `json:"status"`
	StartedAt  timestamp  `json:"startedAt"`
	FinishedAt timestamp  `json:"finishedAt"`
	Datapoints []enum     `json:"datapoints"`
	Metadata   sourceWire `json:"metadata"`
}

func (w taskWire) domain() (Task, error) {
	if err := checkID(w.ID); err != nil {
		return Task{}, err
	}
	source, err := w.Metadata.domain()
	return Task{
		ID:         w.ID,
		Type:       TaskType(w.Type),
		Status:     TaskStatus(w.Status),
		StartedAt:  w.StartedAt.Time,
		FinishedAt: w.FinishedAt.pointer(),
		Datapoints: enums[Datapoint](w.Datapoints),
		Source:     source,
	}, err
}

// TaskFilter narrows a listing of tasks: by user, by account or archive, and by
// the day (UTC) on which they were created. A zero field does not narrow it.
type TaskFilter struct {
	UserID    string
	SourceID  string
	StartDate time.Time
	EndDate   time.Time
}

// Tasks lists tasks.
func (c *Client) Tasks(ctx context.Context, by TaskFilter) iter.Seq2[Task, error] {
	query := filter{}.text("userId", by.UserID).text("sourceId", by.SourceID).
		day("startDate", by.StartDate).day("endDate", by.EndDate)
	return listOf[taskWire](ctx, c, call{
		operation: opListTasks, path: []string{"tasks"}, query: url.Values(query), bounds: ofOwner(owner{by.UserID, by.SourceID}),
	}, owner{by.UserID, by.SourceID}, func(t Task) Source { return t.Source })
}

// Task returns one task.
func (c *Client) Task(ctx context.Context, id string) (Task, error) {
	return fetchByID[taskWire](ctx, c, opGetTask, "tasks", id, func(t Task) string { return t.ID })
}
