// A door: touch it to open or close it; it closes by itself after ten seconds.

integer is_open;

swing(integer open)
{
    is_open = open;
    if (open) llSay(0, "open");
    else llSay(0, "closed");
    llSetTimerEvent(10.0 * open);
}

default
{
    touch_start(integer number)
    {
        swing(!is_open);
    }

    timer()
    {
        swing(FALSE);
    }
}
