// Touched, it asks; what is chosen or written is said aloud.
integer channel = -2024;

default
{
    state_entry()
    {
        llListen(channel, "", NULL_KEY, "");
    }

    touch_start(integer count)
    {
        llDialog(llDetectedKey(0), "Welcome! What would you like?", ["Hello", "Colour", "Write"], channel);
    }

    listen(integer on, string name, key who, string text)
    {
        if (text == "Hello")
            llSay(0, "Hello, " + name + "!");
        else if (text == "Colour")
            llDialog(who, "Which one?", ["Red", "Green", "Blue"], channel);
        else if (text == "Write")
            llTextBox(who, "What shall I say?", channel);
        else
            llSay(0, name + " says: " + text);
    }
}
