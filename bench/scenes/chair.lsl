// One place, facing east, and a word when it is taken or left.
default
{
    state_entry()
    {
        llSitTarget(<0.0, 0.0, 0.25>, ZERO_ROTATION);
    }

    changed(integer what)
    {
        if (what & CHANGED_LINK)
        {
            if (llAvatarOnSitTarget() == NULL_KEY)
                llSay(0, "Free again.");
            else
                llSay(0, "Taken.");
        }
    }
}
