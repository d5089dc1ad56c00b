package observer

// An Update is what a viewer has not seen yet.
type Update struct {
	Picture  *Picture
	Events   []Event
	Messages []Message
	Skipped  int // messages that are not in Messages, because there were too many
}
