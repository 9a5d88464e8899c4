package smile

type Client struct{}

func (*Client) Account(id string) string { return id }

type Mutator struct{ *Client }

func NewMutator() *Mutator { return &Mutator{&Client{}} }

func (*Mutator) RevokeAccount(id string) error { return nil }
